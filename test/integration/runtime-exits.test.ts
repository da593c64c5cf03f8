import assert from 'node:assert/strict'
import { constants } from 'node:os'
import { after, before, describe, test } from 'node:test'
import type { Exit } from '../../src/runtime/runtime.ts'
import { TestMachine } from '../support/posix-runtime.ts'

/** Signals that end a program which does nothing about them. */
const DEADLY = Object.entries(constants.signals)
  .map(([name, number]) => ({ name: name.slice(3), number }))
  .filter(({ name }) => !['CHLD', 'CLD', 'CONT', 'STOP', 'TSTP', 'TTIN', 'TTOU', 'URG', 'WINCH', 'IOT', 'POLL', 'UNUSED'].includes(name))

describe('how programs end', () => {
  const machine = new TestMachine()
  before(() => machine.open())
  after(() => machine.destroy())

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

  test('a file without a first line naming its interpreter is run by sh', async () => {
    assert.equal(
      await machine.output(['sh', '-c', 'cd "$1" && echo "echo hello" >plain && chmod +x plain && exec ./plain', '-', machine.dataDir]),
      'hello\n',
    )
  })
})
