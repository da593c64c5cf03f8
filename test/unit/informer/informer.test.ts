import assert from 'node:assert/strict'
import { afterEach, beforeEach, test } from 'node:test'
import { type ObjectKey, objectKey } from '../../../src/api/object.ts'
import { silentLogger } from '../../../src/base/log.ts'
import type { ConfigMap } from '../../../src/generated/types.ts'
import { type Change, WatchInformer } from '../../../src/informer/informer.ts'
import { FakeClock, settle } from '../../support/fake-clock.ts'
import { ScriptedWatch } from '../../support/scripted-watch.ts'

let clock: FakeClock
let server: ScriptedWatch<ConfigMap>
let informer: WatchInformer<ConfigMap>
let changes: string[]
let stop: AbortController
let ended: Promise<void>

beforeEach(() => {
  clock = new FakeClock()
  server = new ScriptedWatch()
  informer = new WatchInformer({
    name: 'ConfigMap',
    client: server,
    clock,
    log: silentLogger,
    backoff: (failures) => 100 * failures,
    indices: { colour: (object) => (object.data?.colour === undefined ? [] : [object.data.colour]) },
  })
  changes = []
  informer.onChange((change) => changes.push(describe(change)))
  stop = new AbortController()
  ended = informer.run(stop.signal)
})

afterEach(async () => {
  stop.abort()
  await ended
  assert.equal(server.open, 0, 'the watch is closed')
  assert.equal(clock.pending, 0, 'no timer is left')
})

test('the first state is told as initial, what follows is not', async () => {
  server.state([object('a', 1), object('b', 2)], '2')
  await informer.synced
  server.send('MODIFIED', object('a', 3))
  server.send('DELETED', object('b', 4))
  await settle()
  assert.deepEqual(changes, ['+a@1 initial', '+b@2 initial', '~a@1>3', '-b@2'])
  assert.deepEqual(names(), ['a'])
  assert.equal(informer.get(key('a'))?.metadata.resourceVersion, '3')
})

test('it is not synced before the whole state is there', async () => {
  let synced = false
  void informer.synced.then(() => {
    synced = true
  })
  server.send('ADDED', object('a', 1))
  await settle()
  assert.equal(synced, false)
  server.state([], '1')
  await settle()
  assert.equal(synced, true)
})

test('after a lost connection it goes on where it was, and tells nothing twice', async () => {
  server.state([object('a', 1)], '5')
  await settle()
  server.send('MODIFIED', object('a', 7))
  server.fail(new Error('connection reset'))
  await settle()
  assert.deepEqual(server.starts, [undefined])
  await clock.advance(100)
  assert.deepEqual(server.starts, [undefined, '7'])
  server.send('MODIFIED', object('a', 8))
  await settle()
  assert.deepEqual(changes, ['+a@1 initial', '~a@1>7', '~a@7>8'])
})

test('a bookmark moves the place to go on from', async () => {
  server.state([], '5')
  server.bookmark('90')
  server.end()
  await clock.advance(100)
  assert.deepEqual(server.starts, [undefined, '90'])
})

test('a connection lost amid the first state starts with the state again', async () => {
  server.send('ADDED', object('a', 9))
  server.fail(new Error('connection reset'))
  await clock.advance(100)
  assert.deepEqual(server.starts, [undefined, undefined])
  server.state([object('b', 3)], '12')
  await settle()
  assert.deepEqual(changes, ['+a@9 initial', '+b@3 initial', '-a@9 initial'])
})

test('when history is gone it starts over and finds what was deleted, created and changed meanwhile', async () => {
  server.state([object('gone', 1), object('same', 2), object('changed', 3), object('again', 4, { uid: 'first' })], '4')
  await settle()
  changes.length = 0
  server.expire()
  await clock.advance(100)
  assert.deepEqual(server.starts, [undefined, undefined])
  server.state([object('same', 2), object('changed', 30), object('new', 31), object('again', 32, { uid: 'second' })], '40')
  await settle()
  assert.deepEqual(changes, ['~changed@3>30', '+new@31', '-again@4', '+again@32', '-gone@1'])
  assert.deepEqual(names(), ['again', 'changed', 'new', 'same'])
})

test('an object deleted amid a new state is not taken for missed', async () => {
  server.state([object('a', 1)], '1')
  server.expire()
  await clock.advance(100)
  server.send('ADDED', object('a', 1))
  server.send('DELETED', object('a', 6))
  server.state([], '6')
  await settle()
  assert.deepEqual(changes, ['+a@1 initial', '-a@1'])
})

test('failures in a row wait longer each time, and an event ends the row', async () => {
  for (let failure = 0; failure < 3; failure++) server.fail(new Error('refused'))
  await clock.advance(100 + 200)
  assert.equal(server.starts.length, 3)
  await clock.advance(299)
  assert.equal(server.starts.length, 3)
  await clock.advance(1)
  assert.equal(server.starts.length, 4)
  server.state([], '1')
  server.fail(new Error('refused'))
  await clock.advance(100)
  assert.equal(server.starts.length, 5)
})

test('indices follow changes and deletions', async () => {
  server.state([object('a', 1, { colour: 'red' }), object('b', 2, { colour: 'red' }), object('c', 3)], '3')
  await settle()
  assert.deepEqual(byColour('red'), ['a', 'b'])
  server.send('MODIFIED', object('a', 4, { colour: 'blue' }))
  server.send('DELETED', object('b', 5, { colour: 'red' }))
  await settle()
  assert.deepEqual(byColour('red'), [])
  assert.deepEqual(byColour('blue'), ['a'])
  informer.addIndex('first', ({ metadata }) => [metadata.name.slice(0, 1)])
  assert.equal(informer.byIndex('first', 'c').length, 1)
  assert.throws(() => informer.byIndex('taste', 'sweet'), /no index taste/)
})

test('a handler that throws keeps nothing from the others', async () => {
  const others: string[] = []
  informer.onChange(() => {
    throw new Error('mistake')
  })
  informer.onChange((change) => others.push(describe(change)))
  server.state([object('a', 1)], '1')
  server.send('MODIFIED', object('a', 2))
  await settle()
  assert.deepEqual(others, ['+a@1 initial', '~a@1>2'])
  assert.deepEqual(server.starts, [undefined])
})

test('an unsubscribed handler hears no more', async () => {
  const heard: string[] = []
  const unsubscribe = informer.onChange((change) => heard.push(describe(change)))
  server.state([object('a', 1)], '1')
  await settle()
  unsubscribe()
  server.send('DELETED', object('a', 2))
  await settle()
  assert.deepEqual(heard, ['+a@1 initial'])
})

function object(name: string, version: number, options: { readonly uid?: string; readonly colour?: string } = {}): ConfigMap {
  const meta = { name, namespace: 'default', uid: options.uid ?? name, resourceVersion: String(version), generation: 1 }
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { ...meta, creationTimestamp: '2026-01-01T00:00:00Z' },
    ...(options.colour === undefined ? {} : { data: { colour: options.colour } }),
  }
}

function key(name: string): ObjectKey {
  return objectKey('default', name)
}

function names(): readonly string[] {
  return informer
    .list()
    .map(({ metadata }) => metadata.name)
    .sort()
}

function byColour(colour: string): readonly string[] {
  return informer
    .byIndex('colour', colour)
    .map(({ metadata }) => metadata.name)
    .sort()
}

function describe({ prev, next, initial }: Change<ConfigMap>): string {
  const name = (next ?? prev)?.metadata.name
  const sign = prev === undefined ? '+' : next === undefined ? '-' : '~'
  const versions = [prev?.metadata.resourceVersion, next?.metadata.resourceVersion].filter((version) => version !== undefined)
  return `${sign}${name}@${versions.join('>')}${initial ? ' initial' : ''}`
}
