import assert from 'node:assert/strict'
import { test } from 'node:test'
import { expiredEvents } from '../../../src/controllers/event-ttl.ts'
import type { Event } from '../../../src/generated/types.ts'
import { ControlPlaneEnv } from '../../support/control-plane-env.ts'

const NOW = '2026-01-01T12:00:00.000Z'

test('an Event goes an hour after it was last seen', () => {
  const events = [event('old', '10:59:59'), event('young', '11:00:01'), event('again', '09:00:00', '11:30:00')]
  assert.deepEqual(namesOf(expiredEvents(events, NOW)), ['old'])
})

test('of too many the oldest go early', () => {
  const events = [event('b', '11:40:00'), event('a', '11:30:00'), event('d', '11:59:00'), event('c', '11:50:00')]
  assert.deepEqual(namesOf(expiredEvents(events, NOW, 2)), ['a', 'b'])
})

test('Events expire by themselves', async () => {
  const env = await ControlPlaneEnv.start()
  try {
    const { apiVersion, kind } = event('x', '00:00:00')
    const at = env.clock.now()
    await env.client
      .for('Event')
      .create({ apiVersion, kind, metadata: { name: 'x' }, involvedObject: {}, firstTimestamp: at, lastTimestamp: at })
    await env.clock.advance(3_590_000)
    assert.equal((await env.client.for('Event').list()).items.length, 1)
    await env.clock.advance(70_000)
    await env.until(async () => assert.deepEqual((await env.client.for('Event').list()).items, []))
  } finally {
    await env.stop()
  }
})

function event(name: string, first: string, last: string = first): Event {
  const metadata = { name, namespace: 'default', uid: name, resourceVersion: '1', generation: 1, creationTimestamp: `2026-01-01T${first}Z` }
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata,
    involvedObject: {},
    firstTimestamp: `2026-01-01T${first}Z`,
    lastTimestamp: `2026-01-01T${last}Z`,
  }
}

function namesOf(events: readonly Event[]): readonly string[] {
  return events.map(({ metadata }) => metadata.name)
}
