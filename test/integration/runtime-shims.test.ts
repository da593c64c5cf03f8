import assert from 'node:assert/strict'
import { closeSync, constants, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import nodeProcess from 'node:process'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { isAlive, readStat } from '../../src/runtime/proc-stat.ts'
import type { InstanceId } from '../../src/runtime/runtime.ts'
import { eventually } from '../support/eventually.ts'
import { TestMachine } from '../support/posix-runtime.ts'

describe('launcher and shims', () => {
  let machine: TestMachine
  let place: string
  beforeEach(async () => {
    machine = new TestMachine()
    place = mkdtempSync(join(tmpdir(), 'pmk-shims-'))
    await machine.open()
  })
  afterEach(async () => {
    await machine.destroy()
    rmSync(place, { recursive: true })
  })

  /** Writes to the shim's FIFO as a server does. */
  const command = (instance: InstanceId, text: string): void => {
    const fd = openSync(join(machine.dataDir, 'run', instance, 'ctl'), constants.O_WRONLY | constants.O_NONBLOCK)
    writeSync(fd, text)
    closeSync(fd)
  }
  const shimOf = (instance: InstanceId): number =>
    Number(readFileSync(join(machine.dataDir, 'run', instance, 'shim'), 'utf8').split(' ', 1)[0])
  const launcherPid = (): number =>
    (JSON.parse(readFileSync(join(machine.dataDir, 'run', 'launcher.json'), 'utf8')) as { readonly pid: number }).pid

  test('a command that comes twice, late or garbled starts nothing', async () => {
    const starts = join(place, 'starts')
    const counted = (more: string): ['sh', '-c', string] => ['sh', '-c', `echo $$ >>${starts}; ${more}`]
    const startedPids = (): number[] => readFileSync(starts, 'utf8').trim().split('\n').map(Number)
    const first = await machine.start(counted('exit 3'))
    await machine.exited(first.instance)
    for (const text of ['run 1\n', 'run 0\n', 'run -5\n', 'run x\n', 'run\n', '\n', 'walk 9\n', 'run 1\nrun 1\n'])
      command(first.instance, text)
    const second = await machine.startRunning(counted('exec sleep 1000'), { instance: first.instance })
    // It tells of itself a moment after it has a pid.
    await eventually(() => assert.equal(startedPids().at(-1), second.pid))
    command(first.instance, 'run 2\nrun 1\nrun 2\n')
    await machine.runtime.signal(second.id, 'TERM', 'Main')
    const { exit } = await machine.exited(first.instance)
    assert.equal(exit.by === 'signal' && exit.signal, 'TERM')
    // What was in the pipe is behind us when the third one has started.
    const third = await machine.startRunning(counted('exec sleep 1000'), { instance: first.instance })
    assert.equal(third.supervised, true)
    await eventually(() => assert.equal(startedPids().at(-1), third.pid))
    assert.equal(startedPids().length, 3)
  })

  test('an Instance whose shim was killed after its program gets another one', async () => {
    const first = await machine.start(['sh', '-c', 'exit 3'])
    await machine.exited(first.instance)
    const shim = shimOf(first.instance)
    nodeProcess.kill(shim, 'SIGKILL')
    await eventually(() => assert.ok(!['R', 'S'].includes(readStat(shim)?.state ?? 'gone'), 'the shim is gone'))
    const second = await machine.startRunning(['sleep', '1000'], { instance: first.instance })
    assert.equal(second.supervised, true)
    assert.notEqual(shimOf(first.instance), shim)
  })

  test('a launcher that is killed again and again while it works starts each program once', async () => {
    const wave = 24
    const mostWaves = 10
    await machine.startRunning(['sleep', '1000'])
    let isOver = false
    let kills = 0
    const killing = (async () => {
      while (!isOver) {
        try {
          nodeProcess.kill(launcherPid(), 'SIGKILL')
          kills += 1
        } catch {
          // It has gone already, or isn't noted yet.
        }
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    })()
    const started: { readonly file: string; readonly instance: InstanceId }[] = []
    const startOne = async (): Promise<void> => {
      const file = join(place, String(started.length))
      const config = machine.config(['sh', '-c', `echo $$ >>${file}; exec sleep 1000`])
      started.push({ file, instance: config.instance })
      // Three shims that never came are told as a failure of the host: the caller starts the same run again.
      await eventually(() => machine.runtime.start(config), { within: 60_000 })
    }
    try {
      // How often it can be killed during so many starts is up to the host.
      for (let waves = 0; waves < mostWaves && (waves === 0 || kills <= 2); waves++)
        await Promise.all(Array.from({ length: wave }, startOne))
    } finally {
      isOver = true
      await killing
    }
    assert.ok(kills > 2, `the launcher was killed ${kills} times`)
    for (const { file, instance } of started) {
      const run = (await machine.runtime.get(instance))?.run
      assert.equal(run?.state, 'running')
      await eventually(() => assert.equal(readFileSync(file, 'utf8'), `${run?.state === 'running' && run.pid}\n`))
    }
  })

  test('a program that goes on below a killed shim is ended with all it started', async () => {
    const file = join(place, 'pids')
    const stubborn = `trap "" TERM HUP; echo $$ >>${file}; while :; do sleep 1; done`
    writeFileSync(join(place, 'stubborn'), stubborn)
    const run = await machine.startRunning(['sh', '-c', `(setsid sh ${place}/stubborn &); sh ${place}/stubborn & ${stubborn}`])
    const pids = (): number[] => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').map(Number) : [])
    await eventually(() => assert.equal(pids().length, 3))
    const stats = pids().flatMap((pid) => readStat(pid) ?? [])
    nodeProcess.kill(shimOf(run.instance), 'SIGKILL')
    await eventually(async () => {
      const seen = (await machine.runtime.get(run.instance))?.run
      assert.equal(seen?.state === 'running' && seen.supervised, false)
    })
    await machine.runtime.killTree(run.id)
    assert.deepEqual(stats.filter(isAlive), [])
    assert.equal((await machine.exited(run.instance)).leftovers, false)
  })
})
