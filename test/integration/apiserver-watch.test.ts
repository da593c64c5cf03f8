import assert from 'node:assert/strict'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { after, before, describe, test } from 'node:test'
import type { ApiObject } from '../../src/api/object.ts'
import { hasReason } from '../../src/api/status.ts'
import { systemClock } from '../../src/base/clock.ts'
import { seededRandom } from '../../src/base/random.ts'
import { createHttpClient } from '../../src/client/http-client.ts'
import { linesOf } from '../../src/client/watch-decoder.ts'
import { PROCESSES, processNamed, TestApiServer } from '../support/api-server.ts'
import { eventually } from '../support/eventually.ts'
import { type Any, type Headers, openSocketWatch, openWatch, seen, shown, type Watch } from '../support/watches.ts'

const MAPS = '/api/v1/namespaces/default/configmaps'

let server: TestApiServer
before(async () => {
  server = await TestApiServer.start()
})
after(() => server.stop())

function map(name: string, labels: Readonly<Record<string, string>> = {}, data: Readonly<Record<string, string>> = {}): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels }, data }
}

const open = (path: string, headers: Headers = {}): Promise<Watch> => openWatch(server.socketPath, path, headers)
const openSocket = (path: string): Promise<Watch> => openSocketWatch(server.socketPath, path)

const current = async (): Promise<string> => (await server.raw('GET', MAPS)).json.metadata.resourceVersion

describe('where a watch starts', () => {
  test('the headers come before the first event', async () => {
    const watch = await open(`${MAPS}?watch=true&fieldSelector=metadata.name%3Dnobody`)
    assert.match(String(watch.headers['content-type']), /^application\/json/)
    assert.equal(watch.headers['transfer-encoding'], 'chunked')
    assert.deepEqual(watch.events, [])
    watch.destroy()
  })

  for (const start of ['', '&resourceVersion=0']) {
    test(`with ${start || 'no resourceVersion'} it begins with what is there`, async () => {
      await server.send('POST', MAPS, map('start'))
      const watch = await open(`${MAPS}?watch=1${start}&fieldSelector=metadata.name%3Dstart`)
      const [first] = await seen(watch, 1)
      assert.equal(first.type, 'ADDED')
      assert.equal(first.object.kind, 'ConfigMap')
      assert.equal(first.object.apiVersion, 'v1')
      const removed = await server.raw('DELETE', `${MAPS}/start`)
      assert.equal(removed.status, 200)
      const events = await seen(watch, 2)
      assert.equal(events[1].type, 'DELETED')
      assert.ok(Number(events[1].object.metadata.resourceVersion) > Number(first.object.metadata.resourceVersion))
      watch.destroy()
    })
  }

  test('from a version on it gives exactly what came later', async () => {
    await server.send('POST', MAPS, map('before'))
    const from = await current()
    await server.send('POST', MAPS, map('after'))
    const watch = await open(`${MAPS}?watch=true&resourceVersion=${from}`)
    assert.deepEqual(
      (await seen(watch, 1)).map((event) => event.object.metadata.name),
      ['after'],
    )
    watch.destroy()
  })

  test('of a single object it gives the events of that object', async () => {
    await server.send('POST', MAPS, map('single'))
    const watch = await open(`${MAPS}/single?watch=true`)
    await server.send('POST', MAPS, map('another'))
    await server.send('PATCH', `${MAPS}/single`, { data: { a: 'b' } }, 'application/merge-patch+json')
    assert.deepEqual(
      (await seen(watch, 2)).map((event) => `${event.type} ${event.object.metadata.name}`),
      ['ADDED single', 'MODIFIED single'],
    )
    watch.destroy()
  })

  test('of a single object it takes nothing of the name for a selector', async () => {
    const watch = await open(`${MAPS}/single,metadata.name!%3Dx?watch=true&timeoutSeconds=1`)
    await watch.end
    assert.deepEqual(watch.events, [])
  })

  test('history that is gone is an ERROR event, and then the body ends', async () => {
    await server.send('POST', MAPS, map('old'))
    const from = Number(await current()) - 1
    for (let round = 0; round < 3; round++)
      await server.send('PATCH', `${MAPS}/old`, { data: { round: String(round) } }, 'application/merge-patch+json')
    await server.store.compact(Number(await current()))
    const watch = await open(`${MAPS}?watch=true&resourceVersion=${from}`)
    await watch.end
    assert.deepEqual(
      watch.events.map(({ type, object }) => [type, object.kind, object.code, object.reason]),
      [['ERROR', 'Status', 410, 'Expired']],
    )
    const events = server.client.for('ConfigMap').watch({ resourceVersion: String(from), signal: new AbortController().signal })
    await assert.rejects(
      async () => {
        for await (const _ of events);
      },
      (err) => hasReason(err, 'Expired'),
    )
  })

  test('a version that is yet to come is 504, after a wait', { timeout: 20_000 }, async () => {
    const answer = await server.raw('GET', `${MAPS}?watch=true&resourceVersion=${Number(await current()) + 1_000}`)
    assert.equal(answer.status, 504, answer.text)
    assert.equal(answer.json.details.causes[0].reason, 'ResourceVersionTooLarge')
    assert.equal(answer.headers['retry-after'], '1')
  })

  for (const [query, code] of [
    ['resourceVersion=abc', 400],
    ['labelSelector=a%3D%3D%3Db', 400],
    ['fieldSelector=spec.color%3Dred', 400],
    ['timeoutSeconds=soon', 400],
    ['watch=perhaps', 400],
    ['sendInitialEvents=true', 422],
    ['sendInitialEvents=true&resourceVersionMatch=Exact', 422],
    ['resourceVersionMatch=NotOlderThan', 422],
  ] as const) {
    test(`${query} is refused with ${code} before the stream begins`, async () => {
      const answer = await server.raw('GET', `${MAPS}?${query.startsWith('watch') ? '' : 'watch=true&'}${query}`)
      assert.equal(answer.status, code, answer.text)
      assert.equal(answer.json.kind, 'Status')
    })
  }
})

describe('what a watch tells', () => {
  test('an object that comes to match is ADDED, that ceases to is DELETED with what it was', async () => {
    const watch = await open(`${MAPS}?watch=true&resourceVersion=${await current()}&labelSelector=color%3Dred`)
    const label = (color: string | null) =>
      server.send('PATCH', `${MAPS}/paint`, { metadata: { labels: { color } } }, 'application/merge-patch+json')
    await server.send('POST', MAPS, map('paint', { color: 'blue' }))
    const versions = [(await label('red')).json.metadata.resourceVersion]
    versions.push(
      (await server.send('PATCH', `${MAPS}/paint`, { data: { a: '1' } }, 'application/merge-patch+json')).json.metadata.resourceVersion,
    )
    versions.push((await label(null)).json.metadata.resourceVersion)
    await label('green')
    versions.push((await label('red')).json.metadata.resourceVersion)
    const events = await seen(watch, 4)
    assert.deepEqual(
      events.map(({ type }) => type),
      ['ADDED', 'MODIFIED', 'DELETED', 'ADDED'],
    )
    assert.deepEqual(
      events.map(({ object }) => object.metadata.resourceVersion),
      versions,
    )
    assert.deepEqual(events[2].object.metadata.labels, { color: 'red' })
    assert.deepEqual(events[2].object.data, { a: '1' })
    watch.destroy()
  })

  test('bookmarks come only to those who ask; the one that ends the beginning comes once, after all objects', async () => {
    const asked = await open(`${MAPS}?watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan`)
    const plain = await open(`${MAPS}?watch=true`)
    const { items, metadata } = (await server.raw('GET', MAPS)).json
    const events = await seen(asked, items.length + 1)
    assert.ok(events.slice(0, items.length).every(({ type }) => type === 'ADDED'))
    const end = events[items.length]
    assert.equal(end.type, 'BOOKMARK')
    assert.equal(end.object.kind, 'ConfigMap')
    assert.equal(end.object.apiVersion, 'v1')
    assert.equal(end.object.metadata.annotations['k8s.io/initial-events-end'], 'true')
    assert.ok(Number(end.object.metadata.resourceVersion) >= Number(metadata.resourceVersion))
    await server.send('POST', MAPS, map('marked'))
    await eventually(() =>
      assert.ok(
        asked.events.some(({ object }) => object.metadata.name === 'marked'),
        'not told',
      ),
    )
    const ends = asked.events.filter(({ object }) => object.metadata.annotations?.['k8s.io/initial-events-end'] !== undefined)
    assert.equal(ends.length, 1)
    await eventually(() =>
      assert.ok(
        plain.events.some(({ object }) => object.metadata.name === 'marked'),
        'not told',
      ),
    )
    assert.ok(plain.events.every(({ type }) => type !== 'BOOKMARK'))
    asked.destroy()
    plain.destroy()
  })

  test('a watch ends cleanly when its time is over, with a bookmark of how far it came', async () => {
    const from = await current()
    const watch = await open(`${MAPS}?watch=true&resourceVersion=${from}&allowWatchBookmarks=true&timeoutSeconds=1`)
    await watch.end
    for (const { type } of watch.events) assert.equal(type, 'BOOKMARK')
    for (const { object } of watch.events) assert.ok(Number(object.metadata.resourceVersion) >= Number(from))
  })

  test('as Tables: one row an event, the columns with the first', async () => {
    const watch = await open(`${PROCESSES}?watch=true`, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' })
    await server.send('POST', PROCESSES, processNamed('rows'))
    await server.send('PATCH', `${PROCESSES}/rows`, { spec: { replicas: 4 } }, 'application/merge-patch+json')
    const [first, second] = await seen(watch, 2)
    assert.equal(first.object.kind, 'Table')
    assert.equal(first.object.columnDefinitions[0].name, 'Name')
    assert.equal(first.object.rows[0].cells[0], 'rows')
    assert.equal(first.object.rows[0].object.kind, 'PartialObjectMetadata')
    assert.equal(first.object.metadata.resourceVersion, first.object.rows[0].object.metadata.resourceVersion)
    assert.equal(second.type, 'MODIFIED')
    assert.equal(second.object.rows[0].cells[1], '0/4')
    watch.destroy()
  })

  test('as metadata only', async () => {
    const watch = await open(`${MAPS}?watch=true`, { accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io' })
    const [first] = await seen(watch, 1)
    assert.deepEqual(Object.keys(first.object).sort(), ['apiVersion', 'kind', 'metadata'])
    assert.equal(first.object.kind, 'PartialObjectMetadata')
    watch.destroy()
  })

  test('bookmarks have the form of the other events', async () => {
    const nobody = `${MAPS}?watch=true&fieldSelector=metadata.name%3Dnobody&allowWatchBookmarks=true`
    const metadata = await open(nobody, { accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io' })
    const [bare] = await seen(metadata, 1)
    assert.deepEqual([bare.type, bare.object.kind, bare.object.apiVersion], ['BOOKMARK', 'PartialObjectMetadata', 'meta.k8s.io/v1'])
    assert.deepEqual(bare.object.metadata.annotations, { 'k8s.io/initial-events-end': 'true' })
    assert.match(bare.object.metadata.resourceVersion, /^[1-9][0-9]*$/)
    const table = await open(nobody, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' })
    const [first] = await seen(table, 1)
    assert.deepEqual([first.type, first.object.kind], ['BOOKMARK', 'Table'])
    assert.match(first.object.metadata.resourceVersion, /^[1-9][0-9]*$/)
    assert.ok(first.object.columnDefinitions.length > 1)
    const [row] = first.object.rows
    assert.deepEqual(new Set(row.cells), new Set([null]))
    assert.equal(row.cells.length, first.object.columnDefinitions.length)
    assert.deepEqual(row.object.metadata.annotations, { 'k8s.io/initial-events-end': 'true' })
    metadata.destroy()
    table.destroy()
  })

  test('under random writers, watches from any version see exactly what came after, in order', async () => {
    const seed = 20_261_122
    const random = seededRandom(seed)
    const from = await current()
    const everything = `${MAPS}?watch=true&resourceVersion=${from}`
    const onlyRed = `${everything}&labelSelector=color%3Dred`
    const all = await open(everything)
    const twins = [await open(everything), await openSocket(everything)]
    const reds = [await open(onlyRed), await openSocket(onlyRed)]
    const rows = await open(onlyRed, { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' })
    const writer = async (number: number): Promise<void> => {
      for (let round = 0; round < 25; round++) {
        const name = `w${number}-${Math.floor(random() * 3)}`
        const color = random() < 0.5 ? 'red' : 'blue'
        const choice = random()
        if (choice < 0.4) await server.send('POST', MAPS, map(name, { color }))
        else if (choice < 0.8)
          await server.send(
            'PATCH',
            `${MAPS}/${name}`,
            { metadata: { labels: { color } }, data: { round: `${round}` } },
            'application/merge-patch+json',
          )
        else await server.raw('DELETE', `${MAPS}/${name}`)
      }
    }
    await Promise.all([0, 1, 2, 3].map(writer))
    const last = (await server.send('POST', MAPS, map('last', { color: 'red' }))).json.metadata.resourceVersion
    const complete = (watch: Watch) => eventually(() => assert.equal(watch.events.at(-1)?.object.metadata.resourceVersion, last))
    for (const watch of [all, ...twins, ...reds, rows]) await complete(watch)
    const versions = all.events.map(({ object }) => Number(object.metadata.resourceVersion))
    assert.deepEqual(
      versions,
      [...new Set(versions)].sort((a, b) => a - b),
      `seed ${seed}: in order, each once`,
    )
    // A model that knows the selector must come from the unselected stream to what the selected one told.
    const model: string[] = []
    const matching = new Map<string, boolean>()
    for (const { type, object } of all.events) {
      const did = matching.get(object.metadata.name) ?? false
      const does = type !== 'DELETED' && object.metadata.labels?.color === 'red'
      matching.set(object.metadata.name, does)
      if (did || does)
        model.push(`${does ? (did ? 'MODIFIED' : 'ADDED') : 'DELETED'} ${object.metadata.name}@${object.metadata.resourceVersion}`)
    }
    for (const twin of twins) assert.deepEqual(twin.events, all.events, `seed ${seed}`)
    for (const red of reds) assert.deepEqual(red.events.map(shown), model, `seed ${seed}`)
    const shownRow = ({ type, object }: Any): string => `${type} ${object.rows[0].cells[0]}@${object.metadata.resourceVersion}`
    assert.deepEqual(rows.events.map(shownRow), model, `seed ${seed}`)
    // From any point in between, the rest is the same.
    const middle = Math.floor(all.events.length / 2)
    const fromMiddle = `${MAPS}?watch=true&resourceVersion=${versions[middle]}`
    const lates = [await open(fromMiddle), await openSocket(fromMiddle)]
    for (const late of lates) {
      await complete(late)
      assert.deepEqual(late.events, all.events.slice(middle + 1))
    }
    // What a list says now is what the events lead to.
    const state = new Map<string, string>()
    for (const { type, object } of all.events) {
      if (type === 'DELETED') state.delete(object.metadata.name)
      else state.set(object.metadata.name, object.metadata.resourceVersion)
    }
    const listed = (await server.raw('GET', MAPS)).json.items.filter(
      ({ metadata }: Any) => /^w\d/.test(metadata.name) || metadata.name === 'last',
    )
    assert.deepEqual(listed.map(({ metadata }: Any) => [metadata.name, metadata.resourceVersion]).sort(), [...state].sort())
    for (const watch of [all, ...twins, ...reds, rows, ...lates]) watch.destroy()
  })
})

describe('how a watch ends', () => {
  test('a client that goes away frees its watch', async () => {
    // Those of the tests before are gone, too, a moment later.
    await eventually(() => assert.equal(server.server.streams, 0))
    const watches = await Promise.all([1, 2, 3].map(() => open(`${MAPS}?watch=true`)))
    assert.equal(server.server.streams, 3)
    for (const watch of watches) watch.destroy()
    await eventually(() => assert.equal(server.server.streams, 0))
  })

  test('breaking off the loop of a client frees the watch on the server', async () => {
    // Those of the tests before are gone, too, a moment later.
    await eventually(() => assert.equal(server.server.streams, 0))
    const controller = new AbortController()
    for await (const event of server.client.for('ConfigMap').watch({ signal: controller.signal })) {
      assert.equal(event.type, 'ADDED')
      break
    }
    await eventually(() => assert.equal(server.server.streams, 0))
  })

  test('a reader that does not read holds up nobody, and can read on later without a gap', { timeout: 60_000 }, async () => {
    const from = await current()
    const slow = httpRequest({ socketPath: server.socketPath, path: `${MAPS}?watch=true&resourceVersion=${from}`, agent: false })
    slow.end()
    const response = await new Promise<IncomingMessage>((resolve) => slow.once('response', resolve))
    response.pause()
    const text = 'x'.repeat(100_000)
    for (let round = 0; round < 60; round++) {
      const made = await server.send('POST', MAPS, map(`slow-${round}`, {}, { text }))
      assert.equal(made.status, 201)
    }
    const names: string[] = []
    for await (const line of linesOf(response)) {
      names.push(JSON.parse(line).object.metadata.name)
      if (names.length === 60) break
    }
    assert.deepEqual(
      names,
      Array.from({ length: 60 }, (_, round) => `slow-${round}`),
    )
  })

  test('a server that stops ends its watches cleanly, and the client says that it is gone', async () => {
    const stopping = await TestApiServer.start()
    const client = createHttpClient({ socketPath: stopping.socketPath }, { clock: systemClock })
    const events: string[] = []
    let ended: unknown
    const watching = (async () => {
      for await (const event of client.for('Namespace').watch({ signal: new AbortController().signal })) events.push(event.type)
    })().catch((err: unknown) => {
      ended = err
    })
    await eventually(() => assert.ok(events.includes('BOOKMARK'), 'no bookmark'))
    await stopping.stop()
    await watching
    assert.ok(hasReason(ended, 'ServiceUnavailable'), String(ended))
    await client.close()
  })

  test('a watch of the client goes on by itself when the server ended it in its time', async () => {
    // The server's own limit is long; this one is told by the wrapped registry, which ends each watch after its first event.
    let watches = 0
    const ending = await TestApiServer.start({
      wrap: (registry) => ({
        ...registry,
        get: registry.get.bind(registry),
        create: registry.create.bind(registry),
        list: registry.list.bind(registry),
        resourceVersion: () => registry.resourceVersion(),
        async *watch(definition, query, signal) {
          if (definition.kind !== 'ConfigMap') return yield* registry.watch(definition, query, signal)
          watches += 1
          for await (const event of registry.watch(definition, query, signal)) {
            yield event
            if (event.type !== 'BOOKMARK' && query.resourceVersion !== undefined) return
          }
        },
      }),
    })
    const controller = new AbortController()
    try {
      const maps = ending.client.for('ConfigMap')
      const names: string[] = []
      const watching = (async () => {
        for await (const event of maps.watch({ signal: controller.signal, resourceVersion: ending.registry.resourceVersion() })) {
          if (event.type !== 'BOOKMARK') names.push((event.object as ApiObject).metadata.name)
        }
      })()
      for (const name of ['a', 'b', 'c'])
        await maps.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' } })
      await eventually(() => assert.deepEqual(names, ['a', 'b', 'c']))
      assert.ok(watches >= 3)
      controller.abort()
      await watching
    } finally {
      controller.abort()
      await ending.stop()
    }
  })
})
