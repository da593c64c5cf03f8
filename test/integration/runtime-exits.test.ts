import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import nodeProcess from 'node:process'
import { after, before, describe, test } from 'node:test'
import type { Exit, RunConfig } from '../../src/runtime/runtime.ts'
import { TestMachine } from '../support/posix-runtime.ts'

/** Signals that end a program which does nothing about them. */
const DEADLY = Object.entries(constants.signals)
  .map(([name, number]) => ({ name: name.slice(3), number }))
  .filter(({ name }) => !['CHLD', 'CLD', 'CONT', 'STOP', 'TSTP', 'TTIN', 'TTOU', 'URG', 'WINCH', 'IOT', 'POLL', 'UNUSED'].includes(name))

describe('how programs end', () => {
  const machine = new TestMachine()
  const place = mkdtempSync(join(tmpdir(), 'pmk-exits-'))
  before(() => machine.open())
  after(async () => {
    await machine.destroy()
    rmSync(place, { recursive: true })
  })

  const exitOf = async (...command: [string, ...string[]]): Promise<Omit<Exit, 'at'>> => {
    const run = await machine.start(command)
    const { at, ...exit } = (await machine.exited(run.instance)).exit
    assert.ok(at >= run.startedAt)
    return exit
  }

  for (const code of [0, 1, 2, 42, 126, 127, 128, 129, 137, 143, 255]) {
    test(`exit ${code} is told as code ${code}`, async () => {
      assert.deepEqual(await exitOf('sh', '-c', `exit ${code}`), { by: 'code', code })
    })
  }

  test('each deadly signal is told by its name', async () => {
    for (const { name, number } of DEADLY) {
      assert.deepEqual(await exitOf('sh', '-c', `ulimit -c 0; kill -${number} $$`), { by: 'signal', signal: name })
    }
  })

  test('real-time signals are told by their distance from the first', async () => {
    assert.deepEqual(await exitOf('sh', '-c', 'kill -34 $$'), { by: 'signal', signal: 'RTMIN' })
    assert.deepEqual(await exitOf('sh', '-c', 'kill -40 $$'), { by: 'signal', signal: 'RTMIN+6' })
    assert.deepEqual(await exitOf('sh', '-c', 'kill -64 $$'), { by: 'signal', signal: 'RTMIN+30' })
  })

  test('kill 0 ends the program and not its shim', async () => {
    const run = await machine.start(['sh', '-c', 'kill -KILL 0'])
    assert.equal((await machine.exited(run.instance)).exit.by, 'signal')
    const next = await machine.startRunning(['sleep', '1000'], { instance: run.instance })
    assert.equal(next.supervised, true)
  })

  test('a stopped program lives, and ends like any other when it goes on', async () => {
    const run = await machine.startRunning(['sh', '-c', 'kill -STOP $$; exit 7'])
    assert.equal((await machine.runtime.get(run.instance))?.run?.state, 'running')
    await machine.runtime.signal(run.id, 'CONT', 'Main')
    // It may have been continued before it stopped itself.
    const stop = setInterval(() => void machine.runtime.signal(run.id, 'CONT', 'Main'), 20)
    const { exit } = await machine.exited(run.instance)
    clearInterval(stop)
    assert.deepEqual(exit.by === 'code' && exit.code, 7)
  })

  test('a death with a core is told by its signal', async () => {
    const run = await machine.start(['sh', '-c', 'kill -SEGV $$'], {
      rlimits: { core: { soft: 'unlimited', hard: 'unlimited' } },
      workingDir: place,
    })
    const { exit } = await machine.exited(run.instance)
    assert.equal(exit.by === 'signal' && exit.signal, 'SEGV')
    const pattern = readFileSync('/proc/sys/kernel/core_pattern', 'utf8')
    // With a plain name the core lies in the working directory, so that this is known to be about one.
    if (/^core/.test(pattern))
      assert.ok(
        readdirSync(place).some((name) => name.startsWith('core')),
        'there is a core',
      )
  })

  test('what only exec can tell is an exit of 126 or 127 with a sentence in the log', async () => {
    const failing = async (code: number, message: RegExp, command: RunConfig['command'], more: Partial<RunConfig> = {}): Promise<void> => {
      const run = await machine.start(command, more)
      const { exit } = await machine.exited(run.instance)
      const log = await machine.logs(run.instance)
      assert.deepEqual({ by: exit.by, code: exit.by === 'code' && exit.code }, { by: 'code', code }, log)
      assert.match(log, message)
    }
    writeFileSync(join(place, 'orphaned'), '#!/no/such/interpreter\n', { mode: 0o755 })
    await failing(127, /orphaned.*(not found|No such file)/, [join(place, 'orphaned')])
    const rlimits = { stack: { soft: 1024 * 1024, hard: 1024 * 1024 } }
    await failing(126, /Argument list too long/, ['/bin/true', ...Array.from({ length: 6 }, () => 'x'.repeat(100_000))], { rlimits })
    if (nodeProcess.getuid?.() === 0) {
      const identity = await machine.runtime.resolveIdentity({ user: 'nobody' })
      writeFileSync(join(place, 'mine'), '#!/bin/sh\n', { mode: 0o700 })
      chmodSync(place, 0o755)
      await failing(126, /mine.*Permission denied/, [join(place, 'mine')], { identity })
    }
  })

  test('a file without a first line naming its interpreter is run by sh', async () => {
    assert.equal(
      await machine.output(['sh', '-c', 'cd "$1" && echo "echo hello" >plain && chmod +x plain && exec ./plain', '-', machine.dataDir]),
      'hello\n',
    )
  })
})
