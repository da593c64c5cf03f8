import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import nodeProcess from 'node:process'
import { after, afterEach, beforeEach, describe, test } from 'node:test'
import { isAlive, readStat } from '../../src/runtime/proc-stat.ts'
import type { Run, RunConfig } from '../../src/runtime/runtime.ts'
import { eventually } from '../support/eventually.ts'
import { type RunningRun, TestMachine } from '../support/posix-runtime.ts'
import { sourceProgram } from '../support/source-program.ts'

for (const cgroups of [true, false]) {
  describe(`a server that takes over, ${cgroups ? 'with' : 'without'} cgroups`, () => {
    let machine: TestMachine
    let server: ChildProcess | undefined
    const place = mkdtempSync(join(tmpdir(), 'pmk-adoption-'))

    beforeEach(() => {
      machine = new TestMachine({ cgroups })
    })
    afterEach(async () => {
      await killServer()
      await machine.destroy()
    })
    after(() => rmSync(place, { recursive: true }))

    async function startServer(): Promise<void> {
      server = fork(sourceProgram('test/support/runtime-server.ts'), [machine.dataDir, String(cgroups)], { execArgv: [] })
      await once(server, 'message')
    }

    async function killServer(): Promise<void> {
      const killed = server
      server = undefined
      if (killed === undefined || killed.exitCode !== null || killed.signalCode !== null) return
      killed.kill('SIGKILL')
      await once(killed, 'exit')
    }

    async function startThere(config: RunConfig): Promise<Run> {
      server?.send(config)
      const [answer] = (await once(server ?? assert.fail(), 'message')) as [{ run?: Run; error?: string }]
      return answer.run ?? assert.fail(answer.error)
    }

    const shimOf = (run: Run): number => {
      const pid = Number(readFileSync(join(machine.dataDir, 'run', run.instance, 'shim'), 'utf8').split(' ')[0])
      assert.match(readFileSync(`/proc/${pid}/cmdline`, 'utf8'), /pmk-launcher/)
      return pid
    }

    test('programs live on with their pids when the server is killed, and exits meanwhile are known', async () => {
      await startServer()
      const lasting = (await startThere(machine.config(['sleep', '1000']))) as RunningRun
      const ending = (await startThere(
        machine.config(['sh', '-c', `while ! [ -e ${place}/go ]; do sleep 0.01; done; exit 42`]),
      )) as RunningRun
      const dying = (await startThere(machine.config(['sleep', '1000']))) as RunningRun
      await killServer()
      writeFileSync(join(place, 'go'), '')
      nodeProcess.kill(dying.pid, 'SIGQUIT')
      await eventually(() => assert.equal(readStat(ending.pid), undefined))
      await eventually(() => assert.equal(readStat(dying.pid), undefined))
      await machine.open()
      assert.deepEqual((await machine.runtime.get(lasting.instance))?.run, lasting)
      const end = (await machine.exited(ending.instance)).exit
      assert.deepEqual(end.by === 'code' && end.code, 42)
      const death = (await machine.exited(dying.instance)).exit
      assert.deepEqual(death.by === 'signal' && death.signal, 'QUIT')
    })

    test('a launcher that is killed is replaced', async () => {
      await machine.open()
      const first = await machine.startRunning(['sleep', '1000'])
      const { pid } = JSON.parse(readFileSync(join(machine.dataDir, 'run', 'launcher.json'), 'utf8')) as { pid: number }
      nodeProcess.kill(pid, 'SIGKILL')
      await eventually(() => assert.notEqual(readStat(pid)?.state ?? 'gone', 'S'))
      const second = await machine.startRunning(['sleep', '1000'])
      assert.ok(first.supervised && second.supervised)
      assert.deepEqual((await machine.runtime.get(first.instance))?.run, first)
    })

    test('a shim does not end of TERM, INT or HUP', async () => {
      await machine.open()
      const run = await machine.startRunning(['sleep', '1000'])
      const shim = shimOf(run)
      for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) nodeProcess.kill(shim, signal)
      await machine.runtime.signal(run.id, 'USR1', 'Main')
      const { exit } = await machine.exited(run.instance)
      assert.equal(exit.by === 'signal' && exit.signal, 'USR1')
      assert.equal(shimOf(run), shim)
      const next = await machine.startRunning(['sleep', '1000'], { instance: run.instance })
      assert.equal(next.supervised, true)
    })

    test('a program whose shim was killed runs on unsupervised, and its end is noticed as unknown', async () => {
      await machine.open()
      const run = await machine.startRunning(['sleep', '1000'])
      nodeProcess.kill(shimOf(run), 'SIGKILL')
      await eventually(async () => {
        const now = (await machine.runtime.get(run.instance))?.run
        assert.ok(now?.state === 'running' && now.pid === run.pid && !now.supervised)
      })
      await machine.reopen()
      const now = (await machine.runtime.get(run.instance))?.run
      assert.ok(now?.state === 'running' && now.pid === run.pid && !now.supervised)
      nodeProcess.kill(run.pid, 'SIGTERM')
      const { exit } = await machine.exited(run.instance)
      assert.deepEqual(exit.by === 'unknown' && exit.reason, 'ShimLost')
      await machine.reopen()
      assert.deepEqual((await machine.exited(run.instance)).exit, exit)
      const next = await machine.startRunning(['sleep', '1000'], { instance: run.instance })
      assert.equal(next.supervised, true)
    })

    test('a stopped program whose shim was killed stays stopped, and goes on when it is told to', async () => {
      await machine.open()
      const run = await machine.startRunning(['sleep', '1000'])
      nodeProcess.kill(run.pid, 'SIGSTOP')
      await eventually(() => assert.equal(readStat(run.pid)?.state, 'T'))
      const shim = shimOf(run)
      nodeProcess.kill(shim, 'SIGKILL')
      await eventually(() => assert.notEqual(readStat(run.pid)?.ppid, shim))
      await machine.reopen()
      const now = (await machine.runtime.get(run.instance))?.run
      assert.ok(now?.state === 'running' && now.pid === run.pid && !now.supervised, JSON.stringify(now))
      assert.equal(readStat(run.pid)?.state, 'T')
      await machine.runtime.signal(run.id, 'CONT', 'Main')
      await eventually(() => assert.equal(readStat(run.pid)?.state, 'S'))
    })

    test('the end of an orphan is hinted at without anybody asking', async () => {
      await machine.open()
      const run = await machine.startRunning(['sleep', '1000'])
      nodeProcess.kill(shimOf(run), 'SIGKILL')
      await eventually(async () => {
        const now = (await machine.runtime.get(run.instance))?.run
        assert.ok(now?.state === 'running' && !now.supervised)
      })
      const stop = AbortSignal.timeout(20_000)
      nodeProcess.kill(run.pid, 'SIGKILL')
      for await (const instance of machine.runtime.changes(stop)) {
        assert.equal(instance, run.instance)
        break
      }
      assert.equal((await machine.exited(run.instance)).exit.by, 'unknown')
    })

    test('an orphan that was killed here died of KILL', async () => {
      await machine.open()
      const run = await machine.startRunning(['sleep', '1000'])
      const shim = shimOf(run)
      nodeProcess.kill(shim, 'SIGKILL')
      // Another process is its parent now: the first one, or one that takes orphans in.
      await eventually(() => assert.notEqual(readStat(run.pid)?.ppid, shim))
      await machine.runtime.killTree(run.id)
      const { exit } = await machine.exited(run.instance)
      assert.equal(exit.by === 'signal' && exit.signal, 'KILL')
      assert.equal(isAlive({ pid: run.pid, startTime: 0 }), false)
    })

    test('a stopped shim is waked to tell the end of its program', async () => {
      await machine.open()
      const run = await machine.startRunning(['sleep', '1000'])
      nodeProcess.kill(shimOf(run), 'SIGSTOP')
      nodeProcess.kill(run.pid, 'SIGKILL')
      const { exit } = await machine.exited(run.instance)
      assert.equal(exit.by === 'signal' && exit.signal, 'KILL')
    })

    test('a pid that came back as another process is not taken for the program, and never signalled', async () => {
      await machine.open()
      const run = await machine.startRunning(['sleep', '1000'])
      const stranger = await machine.startRunning(['sleep', '1000'])
      nodeProcess.kill(shimOf(run), 'SIGKILL')
      nodeProcess.kill(run.pid, 'SIGKILL')
      await eventually(() => assert.equal(readStat(run.pid), undefined))
      await machine.close()
      // The record names the stranger's pid with the start time of the program that is gone.
      const file = join(machine.dataDir, 'run', run.instance, 'pid')
      writeFileSync(
        file,
        readFileSync(file, 'utf8')
          .replace(`1 ${run.pid} `, `1 ${stranger.pid} `)
          .replace(/ (\d+) (\d+) (\d+) 18446744073709551615/, ' 12345 $2 $3 18446744073709551615'),
      )
      await machine.open()
      assert.equal((await machine.exited(run.instance)).exit.by, 'unknown')
      assert.equal(await machine.runtime.signal(run.id, 'KILL', 'Main'), 0)
      await machine.runtime.killTree(run.id)
      assert.equal((await machine.runtime.get(stranger.instance))?.run?.state, 'running')
    })

    test('runs of an earlier boot ended with the machine, and the Instance starts again', async () => {
      await machine.open()
      const run = await machine.startRunning(['sleep', '1000'])
      await machine.runtime.killTree(run.id)
      nodeProcess.kill(shimOf(run), 'SIGKILL')
      await machine.close()
      const directory = join(machine.dataDir, 'run', run.instance)
      const shimFile = join(directory, 'shim')
      writeFileSync(shimFile, `${readFileSync(shimFile, 'utf8').slice(0, 513)}1 00000000-0000-0000-0000-000000000000\n`)
      writeFileSync(join(directory, 'exit'), ' '.repeat(512))
      const file = join(directory, 'run.json')
      writeFileSync(file, readFileSync(file, 'utf8').replace(/"bootId":"[^"]*"/, '"bootId":"00000000-0000-0000-0000-000000000000"'))
      await machine.open()
      const end = await machine.exited(run.instance)
      assert.deepEqual(end.exit.by === 'unknown' && end.exit.reason, 'Reboot')
      assert.deepEqual([end.startedAtMonotonic, end.exitedAtMonotonic, end.leftovers], [0, 0, false])
      const next = await machine.startRunning(['sleep', '1000'], { instance: run.instance })
      assert.equal(next.supervised, true)
    })

    test('a command that a killed server had running is ended by the next one', async () => {
      await machine.open()
      const run = await machine.startRunning(['sleep', '1000'])
      const stop = new AbortController()
      const command = {
        instance: run.instance,
        command: ['sh', '-c', 'sleep 1000 & echo $$ $!; wait'] as const,
        searchPath: ['/bin'],
        env: {},
      }
      let output = ''
      const executing = machine.runtime.exec(
        { ...command, timeout: 60_000, onOutput: (bytes) => (output += Buffer.from(bytes)) },
        stop.signal,
      )
      await eventually(() => assert.match(output, /\d+ \d+\n/))
      const pids = output.trim().split(' ').map(Number)
      // Another server on the same place, as after a kill -9: the first one is not asked.
      const next = new TestMachine({ cgroups, dataDir: machine.dataDir })
      await next.open()
      for (const pid of pids) await eventually(() => assert.ok(['Z', undefined].includes(readStat(pid)?.state)))
      assert.equal((await executing).by, 'signal')
      assert.equal((await next.runtime.get(run.instance))?.run?.state, 'running')
      await next.close()
    })

    test('no run directory keeps a launch file that holds an environment', async () => {
      await startServer()
      const run = await startThere(machine.config(['sleep', '1000'], { env: { PASSWORD: 'x' } }))
      await killServer()
      await machine.open()
      const directory = join(machine.dataDir, 'run', run.instance)
      const isTelling = (name: string): boolean => name !== 'ctl' && readFileSync(join(directory, name), 'utf8').includes('PASSWORD')
      await eventually(() => assert.deepEqual(readdirSync(directory).filter(isTelling), []))
    })
  })
}
