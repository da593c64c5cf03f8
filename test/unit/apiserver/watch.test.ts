import assert from 'node:assert/strict'
import test from 'node:test'
import { definitionOf } from '../../../src/api/scheme.ts'
import { createRenderer } from '../../../src/apiserver/render.ts'
import type { ApiRequest } from '../../../src/apiserver/route.ts'
import { watchAnswer } from '../../../src/apiserver/watch.ts'
import type { WatchQuery } from '../../../src/registry/registry.ts'
import { settle } from '../../support/fake-clock.ts'
import { type TestedRegistry, testRegistry } from '../registry/support.ts'

const MAPS = definitionOf('ConfigMap')

// biome-ignore lint/suspicious/noExplicitAny: events of every shape.
type Any = any

interface Watch {
  readonly events: Any[]
  readonly isOver: () => boolean
  readonly end: () => void
  /** True: the client takes nothing more until it is false again. */
  hold: boolean
}

async function open({ registry, clock }: TestedRegistry, query: WatchQuery, timeoutSeconds?: number, hold = false): Promise<Watch> {
  const controller = new AbortController()
  const answer = await watchAnswer({
    registry,
    definition: MAPS,
    query,
    timeoutSeconds,
    render: createRenderer(MAPS, clock).event({ headers: {}, query: new URLSearchParams() } as ApiRequest),
    clock,
    random: () => 0.5,
    signal: controller.signal,
  })
  let over = false
  const watch: Watch = { events: [], isOver: () => over, end: () => controller.abort(), hold }
  void (async () => {
    for await (const chunk of answer.chunks) {
      watch.events.push(JSON.parse(String(chunk)))
      while (watch.hold) await new Promise((resolve) => setImmediate(resolve))
    }
    over = true
  })()
  await settle()
  return watch
}

const map = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } }) as const
const shown = ({ type, object }: Any): string => `${type} ${object.metadata.name ?? object.metadata.resourceVersion}`
const isEnd = ({ object }: Any): boolean => object.metadata.annotations?.['k8s.io/initial-events-end'] === 'true'

test('a watch of a quiet store gets a bookmark about once a minute and two seconds before its time is over', async () => {
  const world = await testRegistry()
  const version = world.registry.resourceVersion()
  const watch = await open(world, { resourceVersion: version, allowWatchBookmarks: true }, 150)
  const bookmark = {
    type: 'BOOKMARK',
    object: { kind: 'ConfigMap', apiVersion: 'v1', metadata: { resourceVersion: version, creationTimestamp: null } },
  }
  // The first one tells that the watch has caught up.
  assert.deepEqual(watch.events, [bookmark])
  const steps: readonly (readonly [number, number])[] = [
    [59_000, 1],
    [2_000, 2],
    [58_000, 2],
    [2_000, 3],
    [26_000, 3],
    [2_000, 4],
  ]
  for (const [time, count] of steps) {
    await world.clock.advance(time)
    assert.equal(watch.events.length, count)
  }
  assert.equal(watch.isOver(), false)
  await world.clock.advance(1_000)
  assert.equal(watch.isOver(), true)
  assert.deepEqual(watch.events, [bookmark, bookmark, bookmark, bookmark])
  assert.equal(world.clock.pending, 0)
})

test('its bookmarks say how far the store is, though only other objects changed', async () => {
  const world = await testRegistry()
  const watch = await open(world, { allowWatchBookmarks: true }, 100)
  assert.deepEqual(watch.events.map(isEnd), [true])
  for (let second = 0; second < 97; second++) {
    await world.client.for('Secret').create({ apiVersion: 'v1', kind: 'Secret', metadata: { name: `s${second}` } })
    await world.clock.advance(1_000)
  }
  const before = watch.events.length
  await world.clock.advance(2_000)
  assert.equal(watch.events.length, before + 1)
  // The end of the beginning, a minute later, and this one: not one a second.
  assert.deepEqual(watch.events.map(isEnd), [true, false, false])
  assert.equal(watch.events.at(-1).object.metadata.resourceVersion, world.registry.resourceVersion())
  watch.end()
})

test('without being asked for there is no bookmark, however long it takes', async () => {
  const world = await testRegistry()
  const watch = await open(world, {}, 200)
  for (let second = 0; second < 200; second += 10) {
    await world.client.for('Secret').create({ apiVersion: 'v1', kind: 'Secret', metadata: { name: `s${second}` } })
    await world.clock.advance(10_000)
  }
  assert.equal(watch.isOver(), true)
  assert.deepEqual(watch.events, [])
})

test('while the beginning is still being told no bookmark comes, since nothing could go on from it', async () => {
  const world = await testRegistry()
  for (let n = 0; n < 5; n++) await world.client.for('ConfigMap').create(map(`m${n}`))
  const held = await open(world, { allowWatchBookmarks: true }, undefined, true)
  assert.equal(held.events.length, 1)
  await world.clock.advance(200_000)
  held.hold = false
  await settle()
  await settle()
  assert.equal(
    held.events.findIndex(({ type }: Any) => type === 'BOOKMARK'),
    5,
    held.events.map(shown).join(', '),
  )
  assert.ok(isEnd(held.events[5]))
  held.end()
})

test('a bookmark is safe to resume from: what came before it has been told', async () => {
  const world = await testRegistry()
  const watch = await open(world, { resourceVersion: world.registry.resourceVersion(), allowWatchBookmarks: true })
  const told = new Set<string>()
  let checked = 0
  for (let n = 0; n < 200; n++) {
    await world.client
      .for(n % 3 === 0 ? 'Secret' : 'ConfigMap')
      .create({ ...map(`m${n}`), kind: n % 3 === 0 ? 'Secret' : 'ConfigMap' } as never)
    await world.clock.advance(1_000)
    for (const event of watch.events.splice(0)) {
      if (event.type !== 'BOOKMARK') {
        told.add(event.object.metadata.name)
        continue
      }
      checked += 1
      const { items } = await world.client.for('ConfigMap').list()
      const due = items.filter(({ metadata }) => Number(metadata.resourceVersion) <= Number(event.object.metadata.resourceVersion))
      for (const { metadata } of due) assert.ok(told.has(metadata.name), `${metadata.name} was not told before ${shown(event)}`)
    }
  }
  assert.ok(checked >= 3, `${checked} bookmarks`)
  watch.end()
})
