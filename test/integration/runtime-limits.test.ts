import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import nodeProcess from 'node:process'
import { after, before, describe, test } from 'node:test'
import { isAlive, readStat } from '../../src/runtime/proc-stat.ts'
import type { RunConfig } from '../../src/runtime/runtime.ts'
import { cgroupBases } from '../../src/runtime/trees.ts'
import { hasCgroups, hasControllers } from '../support/cgroups.ts'
import { eventually } from '../support/eventually.ts'
import { TestMachine } from '../support/posix-runtime.ts'

const isVm = nodeProcess.env.PMK_VM !== undefined
if (isVm) assert.ok(hasControllers, 'hack/vm-test gives a machine with controllers')
const skip = hasControllers ? {} : { skip: 'NOT TESTED HERE: no cgroup2 with controllers on this host; hack/vm-test has one' }

const isRoot = nodeProcess.getuid?.() === 0
/** Takes 96 MiB into memory, again and again, in the process that the shell has become or in a child. */
const GREEDY = 'dd if=/dev/zero of=/dev/null bs=96M count=1000000 2>/dev/null'
/** Only where the shim is safe are all processes of a program killed, and not just the greedy one. */
const GREEDY_TREE = isRoot ? `${GREEDY}; sleep 1000` : `exec ${GREEDY}`

describe('limits', skip, () => {
  const machine = new TestMachine()
  before(() => machine.open())
  after(() => machine.destroy())

  /** What the kernel has for an Instance. */
  const kernel = (instance: string, file: string): string | undefined =>
    cgroupBases(machine.dataDir)
      .map((base) => base.child(instance).read(file))
      .find((text) => text !== undefined)

  test('none are missing', () => {
    assert.deepEqual(
      machine.runtime.hostGaps().filter(({ field }) => field.startsWith('limits.') || field === 'pause' || field === 'processTree'),
      [],
    )
  })

  test('are there before the program, and can be changed and taken away while it runs', async () => {
    const run = await machine.startRunning(['sleep', '1000'], { limits: { cpu: 0.5, memory: 64 * 2 ** 20, pids: 7 } })
    const limits = (): unknown => ['cpu.max', 'memory.max', 'pids.max'].map((file) => kernel(run.instance, file))
    assert.deepEqual(limits(), ['50000 100000', String(64 * 2 ** 20), '8'])
    await machine.runtime.setLimits(run.instance, { cpu: 2, memory: 32 * 2 ** 20 + 1 })
    assert.deepEqual(limits(), ['200000 100000', String(32 * 2 ** 20), 'max'])
    await machine.reopen()
    assert.deepEqual(limits(), ['200000 100000', String(32 * 2 ** 20), 'max'])
    await machine.runtime.setLimits(run.instance, {})
    assert.deepEqual(limits(), ['max 100000', 'max', 'max'])
    const now = (await machine.runtime.get(run.instance))?.run
    assert.ok(now?.state === 'running' && now.pid === run.pid, 'the program runs on')
    await machine.runtime.killTree(run.id)
  })

  test('a program that wants more memory is killed whole, that is told, and its shim starts the next', async () => {
    const run = await machine.startRunning(['sh', '-c', GREEDY_TREE], { limits: { memory: 24 * 2 ** 20 } })
    const { exit } = await machine.exited(run.instance)
    assert.ok(exit.by === 'signal' && exit.signal === 'KILL' && (exit.oomKills ?? 0) >= (isRoot ? 2 : 1), JSON.stringify(exit))
    await machine.runtime.killTree(run.id)
    const next = await machine.startRunning(['sleep', '1000'], { instance: run.instance, limits: { memory: 24 * 2 ** 20 } })
    assert.equal(next.supervised, true)
    await machine.runtime.signal(next.id, 'KILL', 'Main')
    const end = (await machine.exited(run.instance)).exit
    assert.equal(end.by === 'signal' && end.oomKills, undefined, 'kills of the run before do not count')
  })

  test('an end for want of memory is known to a server that was away', async () => {
    const place = mkdtempSync(join(tmpdir(), 'pmk-limits-'))
    const command = `while ! [ -e ${place}/go ]; do sleep 0.05; done; ${GREEDY_TREE}`
    const run = await machine.startRunning(['sh', '-c', command], { limits: { memory: 24 * 2 ** 20 } })
    const startTime = readStat(run.pid)?.startTime ?? 0
    await machine.close()
    writeFileSync(join(place, 'go'), '')
    await eventually(() => assert.equal(isAlive({ pid: run.pid, startTime }), false, 'it ends'))
    await machine.open()
    const { exit } = await machine.exited(run.instance)
    assert.ok(exit.by !== 'unknown' && (exit.oomKills ?? 0) >= 1, JSON.stringify(exit))
    await machine.runtime.killTree(run.id)
    rmSync(place, { recursive: true })
  })

  test('processes beyond the limit can not be started', async () => {
    const script = 'for i in 1 2 3 4 5 6; do sleep 1000 & done; echo all; wait'
    const run = await machine.start(['sh', '-c', script], { limits: { pids: 4 } })
    await eventually(async () => assert.match(await machine.logs(run.instance), /[Cc]annot fork|Resource temporarily unavailable/))
    assert.doesNotMatch(await machine.logs(run.instance), /all/)
    await machine.runtime.killTree(run.id)
  })

  test('a limit of one process is enough for one', async () => {
    const run = await machine.startRunning(['sleep', '1000'], { limits: { pids: 1 } })
    assert.equal((await machine.runtime.usage(run.id))?.processes, 1)
    await machine.runtime.killTree(run.id)
  })

  test('processor time is bounded', async () => {
    const run = await machine.startRunning(['sh', '-c', 'while :; do :; done'], { limits: { cpu: 0.1 } })
    await eventually(() =>
      assert.ok(Number(/nr_throttled (\d+)/.exec(kernel(run.instance, 'cpu.stat') ?? '')?.[1]) > 3, 'it is slowed down'),
    )
    await machine.runtime.killTree(run.id)
  })

  test('a command run beside counts for its Instance and not for its program', async () => {
    const limits = { memory: 24 * 2 ** 20 }
    const run = await machine.startRunning(['sleep', '1000'], { limits })
    const result = await machine.runtime.exec(
      { ...machine.config(['sh', '-c', GREEDY], { instance: run.instance }), timeout: 60_000 },
      new AbortController().signal,
    )
    assert.notEqual(result.by === 'code' && result.code, 0)
    const now = (await machine.runtime.get(run.instance))?.run
    assert.ok(now?.state === 'running' && now.pid === run.pid, 'the program runs on')
    await machine.runtime.signal(run.id, 'KILL', 'Main')
    const { exit } = await machine.exited(run.instance)
    assert.equal(exit.by === 'signal' && exit.oomKills, undefined)
  })

  test('usage is what the kernel counts', async () => {
    // Nobody reads what it has read, so it keeps it.
    const run = await machine.startRunning(['sh', '-c', 'dd if=/dev/zero bs=32M count=1 2>/dev/null | sleep 1000'])
    const usage = await eventually(async () => {
      const found = await machine.runtime.usage(run.id)
      assert.ok(found !== undefined && found.memory > 32 * 2 ** 20 && found.memory < 200 * 2 ** 20, JSON.stringify(found))
      return found
    })
    assert.deepEqual([usage.threads, usage.processes], [3, 3])
    await machine.runtime.killTree(run.id)
  })
})

describe('a paused program', hasCgroups ? {} : { skip: 'NOT TESTED HERE: no cgroup2 on this host' }, () => {
  const machine = new TestMachine()
  const place = mkdtempSync(join(tmpdir(), 'pmk-pause-'))
  before(() => machine.open())
  after(async () => {
    await machine.destroy()
    rmSync(place, { recursive: true })
  })

  const size = (file: string): number => (existsSync(file) ? readFileSync(file).length : 0)
  const ticker = (file: string): RunConfig['command'] => [
    'sh',
    '-c',
    `(trap "" TERM; while :; do echo child >>${file}; sleep 0.01; done) & while :; do echo main >>${file}; sleep 0.01; done`,
  ]

  test('does nothing, and goes on', async () => {
    const file = join(place, 'ticks')
    const run = await machine.startRunning(ticker(file))
    await eventually(() => assert.ok(size(file) > 20, 'it ticks'))
    await machine.runtime.pause(run.id, true)
    await eventually(() => assert.ok(groupOf(run.instance)?.isFrozen, 'all are frozen'))
    const then = size(file)
    await machine.reopen()
    assert.equal(size(file), then)
    await machine.runtime.pause(run.id, false)
    await eventually(() => assert.ok(size(file) > then, 'it ticks again'))
    await machine.runtime.killTree(run.id)
  })

  test('that somebody kills has ended so, and what it leaves behind is killed', async () => {
    const file = join(place, 'killed')
    const run = await machine.startRunning(ticker(file))
    await eventually(() => assert.match(readFileSync(file, 'utf8'), /child/))
    await machine.runtime.pause(run.id, true)
    nodeProcess.kill(run.pid, 'SIGKILL')
    const end = await machine.exited(run.instance)
    assert.equal(end.exit.by === 'signal' && end.exit.signal, 'KILL')
    assert.equal(end.leftovers, true)
    await machine.runtime.killTree(run.id)
    const next = await machine.startRunning(['sleep', '1000'], { instance: run.instance })
    assert.deepEqual([next.paused, next.supervised], [false, true])
    await machine.runtime.killTree(next.id)
  })

  test('that somebody kills while no server runs has ended so for the next', async () => {
    const run = await machine.startRunning(['sleep', '1000'])
    await machine.runtime.pause(run.id, true)
    await machine.close()
    nodeProcess.kill(run.pid, 'SIGKILL')
    await machine.open()
    const end = await machine.exited(run.instance)
    assert.equal(end.exit.by === 'signal' && end.exit.signal, 'KILL')
  })

  test('is killed with all of its processes', async () => {
    const file = join(place, 'tree')
    const run = await machine.startRunning(ticker(file))
    await eventually(() => assert.match(readFileSync(file, 'utf8'), /child/))
    await machine.runtime.pause(run.id, true)
    await machine.runtime.killTree(run.id)
    assert.equal(await machine.runtime.treeAlive(run.id), false)
    const { exit } = await machine.exited(run.instance)
    assert.equal(exit.by === 'signal' && exit.signal, 'KILL')
    await machine.runtime.remove(run.instance)
    assert.equal(groupOf(run.instance), undefined)
  })

  test('that was frozen by a kill which a server did not live to finish goes on', async () => {
    const run = await machine.startRunning(['sleep', '1000'])
    await machine.close()
    groupOf(run.instance)?.child('run').freeze(true)
    await machine.open()
    const now = (await machine.runtime.get(run.instance))?.run
    assert.equal(now?.state === 'running' && now.paused, false)
    assert.equal(groupOf(run.instance)?.child('run').isFreezing, false)
    await machine.runtime.killTree(run.id)
  })

  const groupOf = (instance: string): ReturnType<typeof cgroupBases>[number] | undefined =>
    cgroupBases(machine.dataDir)
      .map((base) => base.child(instance))
      .find((group) => group.exists())
})
