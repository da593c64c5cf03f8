import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import { eventually } from '../support/eventually.ts'
import { TestMachine } from '../support/posix-runtime.ts'

/** Its seconds are a fiftieth of a second, so that what is looked at every 30 s is looked at soon. */
const hasty: Clock = {
  now: () => systemClock.now(),
  monotonic: () => systemClock.monotonic() * 50,
  schedule: (delay, fn) => systemClock.schedule(delay / 50, fn),
}

describe('file events that never come', () => {
  let machine: TestMachine
  beforeEach(async () => {
    machine = new TestMachine({ clock: hasty })
    await machine.open()
  })
  afterEach(() => machine.destroy())

  test('a death is noticed although the kernel dropped its event among too many', async () => {
    const run = await machine.startRunning(['sleep', '1000'])
    const hints: string[] = []
    const stop = new AbortController()
    const reading = (async () => {
      for await (const instance of machine.runtime.changes(stop.signal)) hints.push(instance)
    })()
    // The loop is blocked meanwhile. Two files in turn, so that events are not joined; the queue holds 16,384.
    const script =
      'cd "$1" && exec 5>>one 6>>two; i=0; while [ $i -lt 12000 ]; do echo >&5; echo >&6; i=$((i+1)); done; kill -9 "$2"; sleep 0.2'
    const directory = join(machine.dataDir, 'run', run.instance)
    assert.equal(spawnSync('sh', ['-c', script, 'sh', directory, String(run.pid)]).status, 0)
    await eventually(() => assert.ok(hints.includes(run.instance), 'the death was hinted at without anybody asking'))
    const { exit } = await machine.exited(run.instance)
    assert.equal(exit.by === 'signal' && exit.signal, 'KILL')
    stop.abort()
    await reading
  })
})
