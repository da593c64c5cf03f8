import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import nodeProcess from 'node:process'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import { readStat } from '../../src/runtime/proc-stat.ts'
import type { InstanceId, Run, RunConfig } from '../../src/runtime/runtime.ts'
import { Bundle } from '../support/bundle.ts'
import { eventually } from '../support/eventually.ts'
import { TestMachine } from '../support/posix-runtime.ts'

interface Answer {
  readonly run?: Run
  readonly steps?: readonly string[]
  readonly error?: string
}

let bundle: Bundle
before(() => {
  bundle = new Bundle(new URL('../fixtures/killed-server.ts', import.meta.url))
})
after(() => bundle.remove())

describe('a server killed at a step of its work, and the next one', () => {
  let machine: TestMachine
  let place: string
  let servers: ChildProcess[] = []
  beforeEach(() => {
    machine = new TestMachine()
    place = mkdtempSync(join(tmpdir(), 'pmk-killed-'))
  })
  afterEach(async () => {
    for (const server of servers) server.kill('SIGKILL')
    servers = []
    await machine.destroy()
    rmSync(place, { recursive: true })
  })

  async function server(...words: readonly string[]): Promise<ChildProcess> {
    const child = fork(bundle.path, [machine.dataDir, ...words])
    servers.push(child)
    if (!words.includes('adopting')) await once(child, 'message')
    return child
  }

  async function killed(child: ChildProcess, moment: string): Promise<void> {
    const [, signal] = (await once(child, 'exit')) as [unknown, string | null]
    assert.equal(signal, 'SIGKILL', moment)
  }

  /** Starts the run in a server that dies at this moment of the start. */
  async function startKilled(config: RunConfig, moment: string): Promise<void> {
    const child = await server(moment)
    const ended = killed(child, moment)
    // An answer means that the moment never came.
    child.once('message', () => child.kill('SIGTERM'))
    child.send(config)
    await ended
  }

  /** The steps of a start, in a server that is killed when it is done. Those that only prepare for others are left out. */
  async function stepsOf(config: RunConfig): Promise<readonly string[]> {
    const child = await server()
    child.send(config)
    const [answer] = (await once(child, 'message')) as [Answer]
    child.kill('SIGKILL')
    await once(child, 'exit')
    return (answer.steps ?? assert.fail(answer.error)).filter((step) => !/^spawn|default\/program|by-name/.test(step))
  }

  /** A program that tells of each start by its pid, in a file and in its log, and ends with 42 when told to. */
  const program = (name: string, more: Partial<RunConfig> = {}): RunConfig => {
    const wait = 'while ! [ -e "$1.go" ]; do sleep 0.01; done; exit 42'
    return machine.config(['sh', '-c', `echo $$ >>"$1"; echo $$; ${wait}`, 'sh', join(place, name)], more)
  }
  const starts = (name: string): string => (existsSync(join(place, name)) ? readFileSync(join(place, name), 'utf8') : '')

  /** What is to be so after any moment: one program, which ends as it ends. Its Instance goes. */
  async function check(config: RunConfig, name: string, earlier: string, moment: string): Promise<void> {
    const found = (await machine.runtime.get(config.instance))?.run
    const run = await machine.runtime.start(config)
    if (run.state !== 'running') assert.fail(`${moment}: ${JSON.stringify(run)}`)
    if (found?.id === config.id) assert.deepEqual(found, run, `${moment}: it is the run that the next server found`)
    assert.equal(run.supervised, true, moment)
    await eventually(() => assert.equal(starts(name), `${earlier}${run.pid}\n`, `${moment}: started once, as what is told`))
    writeFileSync(join(place, `${name}.go`), '')
    const { exit } = await machine.exited(config.instance)
    assert.equal(exit.by === 'code' && exit.code, 42, moment)
    assert.equal(await machine.logs(config.instance), `${earlier}${run.pid}\n`, `${moment}: its output`)
    rmSync(join(place, `${name}.go`))
    await machine.runtime.remove(config.instance)
  }

  const shimOf = (instance: InstanceId): number =>
    Number(readFileSync(join(machine.dataDir, 'run', instance, 'shim'), 'utf8').split(' ', 1)[0])

  test('a start: one program or none, and one after the next server has asked for it again', async () => {
    const steps = await stepsOf(program('rehearsal'))
    for (const step of ['rename .spare/* run/*', 'write a pipe', 'write */launch', 'write */run.json', 'write */ctl', 'write */launch #2'])
      assert.ok(steps.includes(step), `no step is "${step}": ${steps.join(', ')}`)
    // Each server takes over what the ones before it left.
    const attempts = steps.map((step, index) => ({ moment: `before ${step}`, name: String(index), config: program(String(index)) }))
    for (const { config, moment } of attempts) await startKilled(config, moment)
    await machine.open()
    await Promise.all(attempts.map(({ config, name, moment }) => check(config, name, '', moment)))
  })

  test('between the command and its execution: the command comes twice, and one program starts', async () => {
    const first = machine.config(['sh', '-c', 'exit 3'])
    await machine.open()
    await machine.runtime.start(first)
    await machine.exited(first.instance)
    await machine.close()
    const shim = shimOf(first.instance)
    nodeProcess.kill(shim, 'SIGSTOP')
    const config = program('twice', { instance: first.instance })
    await startKilled(config, 'after write */ctl')
    await killed(await server('after write */ctl', 'adopting'), 'taking over')
    assert.equal(starts('twice'), '')
    const opening = machine.open()
    nodeProcess.kill(shim, 'SIGCONT')
    await opening
    const run = (await machine.runtime.get(config.instance))?.run
    assert.equal(run?.id, config.id)
    await check(config, 'twice', '', 'with both commands in the pipe')
  })

  test('while a program dies: its end is told by the shim, which had no time to record it', async () => {
    const config = machine.config(['sh', '-c', 'echo up; exec sleep 1000'])
    const child = await server()
    child.send(config)
    const [{ run }] = (await once(child, 'message')) as [Answer]
    if (run?.state !== 'running') assert.fail('it runs')
    const shim = shimOf(config.instance)
    nodeProcess.kill(shim, 'SIGSTOP')
    // A wait that is under way takes what has died before it stops.
    await eventually(() => assert.equal(readStat(shim)?.state, 'T', 'the shim still runs'))
    nodeProcess.kill(run.pid, 'SIGQUIT')
    await eventually(() => assert.equal(readStat(run.pid)?.state, 'Z'))
    child.kill('SIGKILL')
    await once(child, 'exit')
    await machine.open()
    const { exit } = await machine.exited(config.instance)
    assert.equal(exit.by === 'signal' && exit.signal, 'QUIT')
    const next = await machine.startRunning(['sleep', '1000'], { instance: config.instance })
    assert.deepEqual([next.supervised, shimOf(config.instance)], [true, shim])
    assert.equal(await machine.logs(config.instance, { previous: true }), 'up\n')
  })

  test('while it rotates the log of a program that writes on: the same pid, its exit code and each line once', async () => {
    const logs = { maxSize: 16 * 1024, maxFiles: 100, compress: false, mergeStderr: true }
    for (const moment of ['before spawn flock fallocate', 'before delete */log.rotate.1']) {
      const go = join(place, 'go')
      const script = 'seq 10000 13999; while ! [ -e "$1" ]; do sleep 0.01; done; seq 14000 19999; exit 42'
      const config = machine.config(['sh', '-c', script, 'sh', go], { logs })
      const child = await server(moment)
      child.send(config)
      const [{ run }] = (await once(child, 'message')) as [Answer]
      await killed(child, moment)
      writeFileSync(go, '')
      await machine.open()
      const found = (await machine.runtime.get(config.instance))?.run
      if (found?.state === 'running') assert.deepEqual(found, run, moment)
      const { exit } = await machine.exited(config.instance)
      assert.equal(exit.by === 'code' && exit.code, 42, moment)
      const lines = Array.from({ length: 10_000 }, (_, index) => `${10_000 + index}\n`).join('')
      assert.ok((await machine.logs(config.instance)) === lines, `${moment}: each line once`)
      rmSync(go)
      await machine.close()
    }
  })
})
