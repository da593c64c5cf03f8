import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import type { ApiObject } from '../../../src/api/object.ts'
import { silentLogger } from '../../../src/base/log.ts'
import type { Client } from '../../../src/client/client.ts'
import { EventRecorder } from '../../../src/client/event-recorder.ts'
import type { Event } from '../../../src/generated/types.ts'
import { createLocalClient } from '../../../src/registry/local-client.ts'
import { createRegistry } from '../../../src/registry/resource-registry.ts'
import { MemoryStore } from '../../../src/storage/memory-store.ts'
import { FakeClock, settle } from '../../support/fake-clock.ts'
import { assertPartly } from '../../support/partly.ts'

let clock: FakeClock
let store: MemoryStore
let client: Client
let recorder: EventRecorder
let stop: AbortController
let ended: Promise<void>

beforeEach(async () => {
  clock = new FakeClock()
  store = new MemoryStore({ clock })
  client = createLocalClient(await createRegistry({ store, clock }), { fieldManager: 'test' })
  startRecorder()
})

afterEach(async () => {
  stop.abort()
  await ended
  await store.close()
})

function startRecorder(): void {
  stop = new AbortController()
  recorder = new EventRecorder({ client, clock, log: silentLogger, component: 'pmk-agent', host: 'h1' })
  ended = recorder.run(stop.signal)
}

test('an Event says what happened to whom, when, and who says so', async () => {
  recorder.record(object('web-0'), started)
  const [event] = await events()
  assertPartly(event, {
    type: 'Normal',
    reason: 'Started',
    message: 'pid 4711',
    count: 1,
    firstTimestamp: '2026-01-01T00:00:00.000Z',
    lastTimestamp: '2026-01-01T00:00:00.000Z',
    involvedObject: { apiVersion: 'pmk.dev/v1', kind: 'Instance', namespace: 'default', name: 'web-0', uid: 'uid-web-0' },
    source: { component: 'pmk-agent', host: 'h1' },
    reportingComponent: 'pmk-agent',
  })
  assert.match(event?.metadata.name ?? '', /^web-0\./)
})

test('the same again is counted, also by the next server', async () => {
  recorder.record(object('web-0'), started)
  recorder.record(object('web-0'), started)
  assert.equal((await events())[0]?.count, 2)
  stop.abort()
  await ended
  startRecorder()
  await clock.advance(5_000)
  recorder.record(object('web-0'), started)
  const found = await events()
  assert.equal(found.length, 1)
  assertPartly(found[0], { count: 3, firstTimestamp: '2026-01-01T00:00:00.000Z', lastTimestamp: '2026-01-01T00:00:05.000Z' })
})

test('another object, reason or message is another Event', async () => {
  recorder.record(object('web-0'), started)
  recorder.record(object('web-1'), started)
  recorder.record(object('web-0'), { ...started, reason: 'Killing' })
  recorder.record(object('web-0'), { ...started, message: 'pid 4712' })
  assert.equal((await events()).length, 4)
})

test('an object that says too much is cut short, and others are heard', async () => {
  for (let at = 0; at < 100; at++) recorder.record(object('loud'), { ...started, message: `pid ${at}` })
  recorder.record(object('quiet'), started)
  const found = await events()
  assert.equal(found.filter(({ involvedObject }) => involvedObject.name === 'loud').length, 25)
  assert.equal(found.length, 26)
  assert.equal(recorder.dropped, 75)
  await clock.advance(60_000)
  for (let at = 0; at < 5; at++) recorder.record(object('loud'), { ...started, message: `later ${at}` })
  assert.equal((await events()).length, 28, 'two more in a minute')
})

test('what cannot be written is dropped, and nobody is bothered', async () => {
  recorder.record({ ...object('web-0'), metadata: { ...object('web-0').metadata, namespace: 'no-such-namespace' } }, started)
  recorder.record(object('web-1'), { ...started, message: 'x'.repeat(5_000) })
  const found = await events()
  assert.deepEqual(
    found.map(({ involvedObject }) => involvedObject.name),
    ['web-1'],
  )
  assert.equal(found[0]?.message?.length, 1_024)
  assert.equal(recorder.dropped, 1)
})

test('without a writer what waits is bounded', () => {
  const idle = new EventRecorder({ client, clock, log: silentLogger, component: 'test' })
  for (let at = 0; at < 1_500; at++) idle.record(object(`p-${at}`), started)
  assert.equal(idle.dropped, 500)
})

test('an object without a namespace has its Events in default', async () => {
  const { namespace: _, ...metadata } = object('host').metadata
  recorder.record({ apiVersion: 'pmk.dev/v1', kind: 'Node', metadata }, started)
  assert.equal((await events())[0]?.metadata.namespace, 'default')
})

const started = { type: 'Normal', reason: 'Started', message: 'pid 4711' } as const

function object(name: string): ApiObject {
  const metadata = {
    name,
    namespace: 'default',
    uid: `uid-${name}`,
    resourceVersion: '7',
    generation: 1,
    creationTimestamp: '2026-01-01T00:00:00Z',
  }
  return { apiVersion: 'pmk.dev/v1', kind: 'Instance', metadata }
}

async function events(): Promise<readonly Event[]> {
  for (let turn = 0; turn < 5; turn++) await settle()
  return (await client.for('Event').list()).items
}
