import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import nodeProcess from 'node:process'
import { after, before, describe, test } from 'node:test'
import { allPids, isAlive, readStat } from '../../src/runtime/proc-stat.ts'
import { isLive } from '../../src/runtime/process-tree.ts'
import { type ExecConfig, type InstanceId, StartError } from '../../src/runtime/runtime.ts'
import { hasCgroups } from '../support/cgroups.ts'
import { eventually } from '../support/eventually.ts'
import { TestMachine } from '../support/posix-runtime.ts'

for (const cgroups of [true, false]) {
  const skip = cgroups && !hasCgroups ? { skip: 'this host has no cgroup2 hierarchy that can be written to' } : {}

  describe(`trees of processes, ${cgroups ? 'with' : 'without'} cgroups`, skip, () => {
    const machine = new TestMachine({ cgroups })
    const place = mkdtempSync(join(tmpdir(), 'pmk-trees-'))
    before(() => machine.open())
    after(async () => {
      await machine.destroy()
      rmSync(place, { recursive: true })
    })

    /** Pids that programs of a test wrote down, one a line. */
    const pidsIn = (file: string): number[] => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').map(Number) : [])
    const adopters = ancestors()
    const livePids = (pids: readonly number[]): number[] => pids.filter((pid) => ['Z', undefined].includes(readStat(pid)?.state) === false)

    test('a tree that forked twice, left its session, dropped its environment and ignores TERM is ended whole', async () => {
      const file = join(place, `escapees-${cgroups}`)
      const stubborn = `trap "" TERM HUP INT; echo $$ >>${file}; while :; do sleep 1; done`
      writeFileSync(join(place, 'stubborn'), stubborn)
      const wait = `while ! [ -e ${place}/go-${cgroups} ]; do sleep 0.02; done`
      const escapes = [
        `sh ${place}/stubborn &`,
        `(setsid sh ${place}/stubborn &)`,
        `(setsid sh -c 'env -i sh ${place}/stubborn & ${wait}' &)`,
        `sh -c '(env -i setsid sh -c "(setsid sh ${place}/stubborn & ${wait}) & ${wait}" & ${wait}) & ${wait}' &`,
      ]
      const run = await machine.startRunning(['sh', '-c', `${escapes.join('\n')}\ntrap "" TERM; sleep 1000`])
      await eventually(() => assert.equal(livePids(pidsIn(file)).length, 4))
      // Without cgroups a process without family and environment is known by having been seen with them.
      assert.ok(((await machine.runtime.usage(run.id))?.processes ?? 0) >= 5)
      writeFileSync(join(place, `go-${cgroups}`), '')
      await eventually(() => assert.ok(pidsIn(file).filter((pid) => adopters.has(readStat(pid)?.ppid ?? 0)).length >= 3))
      assert.equal(await machine.runtime.treeAlive(run.id), true)
      await machine.runtime.signal(run.id, 'TERM', 'Tree')
      assert.equal(livePids(pidsIn(file)).length, 4)
      await machine.runtime.killTree(run.id)
      assert.deepEqual(livePids(pidsIn(file)), [])
      assert.equal(await machine.runtime.treeAlive(run.id), false)
      const next = await machine.startRunning(['sleep', '1000'], { instance: run.instance })
      assert.equal(next.supervised, true)
    })

    test('signals reach main process, group or tree, as asked', async () => {
      const mark = join(place, `marks-${cgroups}`)
      const script = (name: string): string => `trap "echo ${name} >>${mark}" USR1; echo ready >>${mark}; while :; do sleep 0.02; done`
      const run = await machine.startRunning(['sh', '-c', `(${script('group')}) & setsid sh -c '${script('session')}' & ${script('main')}`])
      const marks = (): string[] => (existsSync(mark) ? readFileSync(mark, 'utf8').trim().split('\n').sort() : [])
      await eventually(() => assert.deepEqual(marks(), ['ready', 'ready', 'ready']))
      assert.equal(await machine.runtime.signal(run.id, 'USR1', 'Main'), 1)
      await eventually(() => assert.deepEqual(marks(), ['main', 'ready', 'ready', 'ready']))
      assert.ok((await machine.runtime.signal(run.id, 'WINCH', 'Group')) >= 2)
      // The loops' own sleeps are of the tree as well and die of USR1.
      await machine.runtime.signal(run.id, 'USR1', 'Group')
      await eventually(() => assert.deepEqual(marks(), ['group', 'main', 'main', 'ready', 'ready', 'ready']))
      await machine.runtime.signal(run.id, 'USR1', 'Tree')
      await eventually(() => assert.deepEqual(marks(), ['group', 'group', 'main', 'main', 'main', 'ready', 'ready', 'ready', 'session']))
      await machine.runtime.killTree(run.id)
    })

    test('usage is that of the whole tree', async () => {
      const run = await machine.startRunning([
        'sh',
        '-c',
        'sleep 1000 & setsid sleep 1000 & i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo done; wait',
      ])
      await eventually(async () => assert.equal(await machine.logs(run.instance), 'done\n'))
      const usage = await machine.runtime.usage(run.id)
      assert.equal(usage?.processes, 3)
      assert.ok(usage.threads === 3 && usage.memory > 100_000 && (usage.fds ?? 0) >= 9, JSON.stringify(usage))
      assert.ok(usage.cpuSeconds > 0.02 && usage.cpuSeconds < 30, String(usage.cpuSeconds))
      await machine.runtime.killTree(run.id)
      assert.equal(await machine.runtime.usage(run.id), undefined)
    })

    test('a member that overwrote its environment and left its session is ended all the same', {
      skip: existsSync('/usr/bin/perl') ? false : 'NOT TESTED: perl is not installed',
    }, async () => {
      const file = join(place, `titled-${cgroups}`)
      // As setproctitle does: the name goes over arguments and environment, PMK_RUN included.
      const titled = `$0 = "x" x 20000; open my $out, ">>", "${file}"; print $out "$$\\n"; close $out; sleep 1000`
      writeFileSync(join(place, 'titled.pl'), titled)
      const run = await machine.startRunning(['sh', '-c', `setsid perl ${place}/titled.pl & perl ${place}/titled.pl & sleep 1000`])
      await eventually(() => assert.equal(livePids(pidsIn(file)).length, 2))
      for (const pid of pidsIn(file)) assert.doesNotMatch(readFileSync(`/proc/${pid}/environ`, 'latin1'), /PMK_RUN/)
      await machine.runtime.killTree(run.id)
      assert.deepEqual(livePids(pidsIn(file)), [])
    })

    // Five hundred with cgroups, as they are on real hosts; without, each look reads the whole process table.
    const crowd = cgroups ? 500 : 50
    test(`${crowd} deaths at once are all told, and all start again`, async () => {
      const runs = await Promise.all(Array.from({ length: crowd }, () => machine.startRunning(['sleep', '1000'])))
      await Promise.all(runs.map((run) => machine.runtime.signal(run.id, 'KILL', 'Main')))
      await Promise.all(runs.map((run) => machine.exited(run.instance)))
      const again = await Promise.all(runs.map((run) => machine.startRunning(['sleep', '1000'], { instance: run.instance })))
      assert.equal(new Set(again.map((run) => run.pid)).size, crowd)
      await Promise.all(again.map((run) => machine.runtime.killTree(run.id)))
      await Promise.all(again.map((run) => machine.runtime.remove(run.instance)))
    })

    describe('commands run beside', () => {
      const command = (words: ExecConfig['command'], more: Partial<ExecConfig> = {}): ExecConfig => ({
        instance: 'some-instance' as InstanceId,
        command: words,
        searchPath: ['/usr/bin', '/bin'],
        env: { PATH: '/usr/bin:/bin' },
        timeout: 20_000,
        ...more,
      })
      const exec = (words: ExecConfig['command'], more: Partial<ExecConfig> = {}): ReturnType<typeof machine.runtime.exec> =>
        machine.runtime.exec(command(words, more), new AbortController().signal)

      test('code, signal and output of both streams are told', async () => {
        assert.deepEqual(await exec(['sh', '-c', 'echo out; echo err >&2; exit 3']), { by: 'code', code: 3, output: 'out\nerr\n' })
        assert.deepEqual(await exec(['sh', '-c', 'kill -TERM $$']), { by: 'signal', signal: 'TERM', output: '' })
        await assert.rejects(exec(['nosuch']), (err) => err instanceof StartError && err.reason === 'CommandNotFound')
      })

      test('only the last bytes of the output are kept, and all are handed on', async () => {
        let size = 0
        const result = await exec(['sh', '-c', 'i=0; while [ $i -lt 20000 ]; do echo 123456789; i=$((i+1)); done; echo end'], {
          maxOutput: 14,
          onOutput: (bytes) => {
            size += bytes.length
          },
        })
        assert.equal(result.output, '123456789\nend\n')
        assert.equal(size, 200_004)
      })

      test('at the timeout the whole tree is killed, and what was written is told', async () => {
        const file = join(place, `exec-${cgroups}`)
        const result = await exec(
          ['sh', '-c', `echo before; echo $$ >>${file}; (setsid sh -c 'trap "" TERM; echo $$ >>${file}; sleep 1000' &); sleep 1000`],
          { timeout: 400 },
        )
        assert.deepEqual(result, { by: 'timeout', output: 'before\n' })
        assert.equal(pidsIn(file).length, 2)
        assert.deepEqual(livePids(pidsIn(file)), [])
      })

      test('an abort kills the tree and rejects with its reason', async () => {
        const stop = new AbortController()
        let output = ''
        const running = machine.runtime.exec(
          command(['sh', '-c', 'echo $$; sleep 1000'], { onOutput: (bytes) => (output += Buffer.from(bytes)) }),
          stop.signal,
        )
        await eventually(() => assert.match(output, /\d+\n/))
        stop.abort(new Error('not wanted any more'))
        await assert.rejects(running, /not wanted any more/)
        assert.deepEqual(livePids([Number(output)]), [])
      })

      test('a process that a command leaves behind in its group ends with it and delays nothing', async () => {
        const result = await exec(['sh', '-c', 'sleep 1000 & echo $!'])
        assert.equal(result.by, 'code')
        await eventually(() => assert.deepEqual(livePids([Number(result.output)]), []))
      })

      test('a command is no part of the tree of the run it is made for', async () => {
        const run = await machine.startRunning(['sleep', '1000'])
        const stop = new AbortController()
        let output = ''
        const running = machine.runtime.exec(
          command(['sh', '-c', 'echo ready; sleep 1000'], {
            instance: run.instance,
            env: { PATH: '/bin', PMK_RUN: run.id },
            onOutput: (bytes) => (output += Buffer.from(bytes)),
          }),
          stop.signal,
        )
        await eventually(() => assert.equal(output, 'ready\n'))
        await machine.runtime.killTree(run.id)
        assert.equal((await machine.exited(run.instance)).leftovers, false)
        const first = await Promise.race([running.then(() => 'ended'), Promise.resolve('runs')])
        assert.equal(first, 'runs')
        await machine.runtime.remove(run.instance)
        assert.equal((await running).by, 'signal')
        stop.abort()
      })
    })

    describe('daemons that insist on forking', () => {
      const pidFile = join(place, `daemon-${cgroups}.pid`)
      const daemon = `setsid sh -c 'echo $$ >${pidFile}; exec sleep 1000' & while ! [ -s ${pidFile} ]; do sleep 0.01; done; exit 0`

      test('the main process is then the one its pid file names, and its end is noticed', async () => {
        rmSync(pidFile, { force: true })
        const run = await machine.start(['sh', '-c', daemon], { forking: { pidFile } })
        const pid = await eventually(async () => {
          const now = (await machine.runtime.get(run.instance))?.run
          assert.ok(now?.state === 'running' && now.pid === Number(readFileSync(pidFile, 'utf8')))
          return now.pid
        })
        await machine.reopen()
        const adopted = (await machine.runtime.get(run.instance))?.run
        assert.ok(adopted?.state === 'running' && adopted.pid === pid)
        assert.equal(await machine.runtime.signal(run.id, 'TERM', 'Main'), 1)
        const { exit } = await machine.exited(run.instance)
        assert.deepEqual(exit.by === 'unknown' && exit.reason, 'Forked')
        assert.equal(await machine.runtime.treeAlive(run.id), false)
      })

      test('a pid file that names a process of somebody else is not believed', async () => {
        writeFileSync(pidFile, `${nodeProcess.pid}\n`)
        const run = await machine.start(['sh', '-c', 'setsid sleep 1000 & exit 0'], { forking: { pidFile } })
        await eventually(async () => assert.equal(await machine.runtime.treeAlive(run.id), true))
        await eventually(async () => assert.equal(await machine.runtime.signal(run.id, 'WINCH', 'Main'), 0))
        await machine.runtime.killTree(run.id)
        assert.notEqual((await machine.runtime.get(run.instance))?.run?.state, 'running')
      })

      test('a first process that fails is the end', async () => {
        const run = await machine.start(['sh', '-c', 'exit 5'], { forking: { pidFile } })
        const { exit } = await machine.exited(run.instance)
        assert.deepEqual(exit.by === 'code' && exit.code, 5)
      })
    })

    test('a fork storm is ended whole', {
      skip: cgroups ? false : 'only a cgroup stops what forks faster than it can be read',
    }, async () => {
      const storm = join(place, 'storm')
      // Each process starts its successor in a session of its own and ends: twenty chains.
      writeFileSync(storm, `setsid sh ${storm} "$1" & sleep 0.001; exit`)
      const run = await machine.start([
        'sh',
        '-c',
        `for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do sh ${storm} $i & done; sleep 1000`,
      ])
      await eventually(async () => assert.ok(((await machine.runtime.usage(run.id))?.processes ?? 0) > 5))
      await machine.runtime.killTree(run.id)
      assert.equal(await machine.runtime.treeAlive(run.id), false)
      const left = allPids()
        .flatMap((pid) => readStat(pid) ?? [])
        .filter((stat) => isLive(stat) && isAlive(stat) && readFileOrNothing(stat.pid).includes(storm))
      assert.deepEqual(left, [])
    })
  })
}

function readFileOrNothing(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1')
  } catch {
    // Gone meanwhile.
    return ''
  }
}

/** The processes above this one: orphans go to the nearest of them that takes orphans in, at last to the first process. */
function ancestors(): ReadonlySet<number> {
  const found = new Set<number>()
  for (let pid = readStat(process.pid)?.ppid ?? 0; pid > 0; pid = readStat(pid)?.ppid ?? 0) found.add(pid)
  return found
}
