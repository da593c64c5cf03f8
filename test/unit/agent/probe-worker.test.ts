import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import { ProbeWorker } from '../../../src/agent/probe-worker.ts'
import type { ProbeName } from '../../../src/agent/situation.ts'
import { silentLogger } from '../../../src/base/log.ts'
import type { Probe } from '../../../src/generated/types.ts'
import type { ProbeResult } from '../../../src/probe/probe.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { DEFAULTS, PROBE } from '../../support/policy-world.ts'

const readiness: Probe = { ...PROBE, tcpSocket: { host: 'r', port: 1 }, periodSeconds: 10, successThreshold: 2, failureThreshold: 3 }
const liveness: Probe = { ...PROBE, tcpSocket: { host: 'l', port: 1 }, initialDelaySeconds: 5, periodSeconds: 2, failureThreshold: 2 }

describe('the probes of a run', () => {
  let clock: FakeClock
  let worker: ProbeWorker
  let attempts: string[]
  let verdicts: number
  let answer: (host: string) => ProbeResult | Promise<ProbeResult>

  beforeEach(() => {
    clock = new FakeClock()
    attempts = []
    verdicts = 0
    answer = () => ({ ok: true })
    worker = new ProbeWorker({
      uid: 'u',
      clock,
      log: silentLogger,
      attempt: async (probe) => {
        const host = probe.tcpSocket?.host ?? ''
        attempts.push(`${host}${(clock.monotonic() - 1_000_000) / 1000}`)
        return answer(host)
      },
      onVerdict: () => {
        verdicts += 1
      },
    })
  })

  function sync(
    probing: readonly ProbeName[],
    more: { readonly attempt?: number; readonly startedAt?: number; readonly liveness?: Probe } = {},
  ): void {
    const template = { ...DEFAULTS, readinessProbe: readiness, livenessProbe: more.liveness ?? liveness }
    worker.sync({ attempt: more.attempt ?? 1, startedAt: more.startedAt ?? 1_000_000, template, probing })
  }

  test('begin after their initial delay and repeat each in its own period', async () => {
    sync(['readiness', 'liveness'])
    await clock.advance(10_000)
    assert.deepEqual(attempts, ['r0', 'l5', 'l7', 'l9', 'r10'])
  })

  test('turn their verdict only after as many in a row as the threshold says', async () => {
    sync(['readiness'])
    await clock.advance(0)
    assert.deepEqual(worker.verdicts(1), {})
    await clock.advance(10_000)
    assert.deepEqual(worker.verdicts(1), { readiness: { passing: true, message: '' } })
    answer = () => ({ ok: false, message: 'refused' })
    await clock.advance(20_000)
    assert.equal(worker.verdicts(1).readiness?.passing, true)
    await clock.advance(10_000)
    assert.deepEqual(worker.verdicts(1), { readiness: { passing: false, message: 'refused' } })
    answer = () => ({ ok: true })
    await clock.advance(10_000)
    assert.equal(worker.verdicts(1).readiness?.passing, false)
    await clock.advance(10_000)
    assert.equal(worker.verdicts(1).readiness?.passing, true)
    assert.equal(verdicts, 3)
  })

  test('need one success only, when they are no readiness probe', async () => {
    sync(['liveness'], { liveness: { ...liveness, successThreshold: 5 } })
    await clock.advance(5_000)
    assert.equal(worker.verdicts(1).liveness?.passing, true)
  })

  test('delay no other when one hangs, and never overlap with themselves', async () => {
    answer = (host) => (host === 'r' ? new Promise(() => {}) : { ok: true })
    sync(['readiness', 'liveness'])
    await clock.advance(60_000)
    assert.deepEqual(
      attempts.filter((each) => each.startsWith('r')),
      ['r0'],
    )
    assert.equal(attempts.filter((each) => each.startsWith('l')).length, 28)
  })

  test('take what is thrown for a failure', async () => {
    answer = () => Promise.reject(new Error('no such command'))
    sync(['liveness'])
    await clock.advance(7_000)
    assert.deepEqual(worker.verdicts(1).liveness, { passing: false, message: 'no such command' })
  })

  test('end with their run, and what they found goes with it', async () => {
    sync(['liveness'])
    await clock.advance(5_000)
    sync(['liveness'], { attempt: 2, startedAt: clock.monotonic() })
    assert.deepEqual(worker.verdicts(1), {})
    assert.deepEqual(worker.verdicts(2), {})
    worker.stop()
    assert.equal(clock.pending, 0)
  })

  test('drop the answer of an attempt that was under way when the run ended', async () => {
    let finish: (result: ProbeResult) => void = () => {}
    answer = () => new Promise((resolve) => (finish = resolve))
    sync(['readiness'])
    await clock.advance(0)
    sync(['readiness'], { attempt: 2, startedAt: clock.monotonic() })
    finish({ ok: false, message: 'late' })
    await clock.advance(0)
    assert.deepEqual(worker.verdicts(2), {})
  })

  test('start over when they are changed, and go on untouched when another one is', async () => {
    sync(['readiness', 'liveness'])
    await clock.advance(6_000)
    sync(['readiness', 'liveness'], { liveness: { ...liveness, periodSeconds: 1 } })
    await clock.advance(4_000)
    assert.deepEqual(
      attempts,
      ['r0', 'l5', 'l6', 'l7', 'l8', 'l9', 'r10', 'l10'].filter((each, index, all) => all.indexOf(each) === index),
    )
  })

  test('of a run that is taken over are spread over their period', async () => {
    sync(['readiness', 'liveness'], { startedAt: 1_000 })
    await clock.advance(0)
    assert.equal(attempts.length, 0)
    await clock.advance(10_000)
    assert.equal(attempts.filter((each) => each.startsWith('r')).length, 1)
  })
})
