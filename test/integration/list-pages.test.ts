import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { seededRandom } from '../../src/base/random.ts'
import { TestApiServer } from '../support/api-server.ts'

const MAPS = '/api/v1/namespaces/default/configmaps'

// biome-ignore lint/suspicious/noExplicitAny: documents of every shape.
type Any = any

let server: TestApiServer
before(async () => {
  server = await TestApiServer.start()
})
after(() => server.stop())

const map = (name: string, labels: Readonly<Record<string, string>> = {}): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, labels },
})
const get = async (query: string, path = MAPS): Promise<Any> => {
  const answer = await server.raw('GET', `${path}?${query}`)
  assert.equal(answer.status, 200, answer.text)
  return answer.json
}
const shown = ({ metadata }: Any): string => `${metadata.name}@${metadata.resourceVersion}`

/** All pages of a list, while somebody writes between them. */
async function pages(query: string, between: () => Promise<void>): Promise<readonly Any[]> {
  const all: Any[] = []
  for (let token = ''; ; ) {
    const page = await get(`${query}&continue=${token}`)
    all.push(page)
    token = page.metadata.continue ?? ''
    if (token === '') return all
    await between()
  }
}

test('pages of one item, read while others write, are the list of the moment of the first', async () => {
  const seed = 20_261_123
  const random = seededRandom(seed)
  const name = () => `p${Math.floor(random() * 30)}`
  const color = () => (random() < 0.5 ? 'red' : 'blue')
  const write = async (): Promise<void> => {
    const choice = random()
    if (choice < 0.4) await server.send('POST', MAPS, map(name(), { color: color() }))
    else if (choice < 0.7) await server.raw('DELETE', `${MAPS}/${name()}`)
    else await server.send('PATCH', `${MAPS}/${name()}`, { metadata: { labels: { color: color() } } }, 'application/merge-patch+json')
  }
  for (let n = 0; n < 40; n++) await write()
  for (const selector of ['', '&labelSelector=color%3Dred', '&labelSelector=color%21%3Dred']) {
    const whole = await get(`x=y${selector}`)
    assert.ok(whole.items.length >= 3, `seed ${seed}: too few to tell anything`)
    const read = await pages(`limit=1${selector}`, async () => {
      await Promise.all([write(), write(), write()])
    })
    assert.deepEqual(
      read.flatMap(({ items }) => items.map(shown)),
      whole.items.map(shown),
      `seed ${seed}`,
    )
    for (const [index, { items, metadata }] of read.entries()) {
      // Whether anything behind it still matches isn't known before it is looked.
      const isEmptyEnd = selector !== '' && index === read.length - 1 && items.length === 0
      assert.ok(items.length === 1 || isEmptyEnd, `${items.length} items`)
      assert.equal(metadata.resourceVersion, whole.metadata.resourceVersion)
      const left = whole.items.length - index - 1
      assert.equal(metadata.remainingItemCount, selector === '' && left > 0 ? left : undefined)
    }
    const exact = await get(`resourceVersion=${whole.metadata.resourceVersion}&resourceVersionMatch=Exact${selector}`)
    assert.deepEqual(exact.items, whole.items)
  }
})

test('a token whose state is gone is 410, and brings one that goes on with the newest', async () => {
  for (const name of ['gone-a', 'gone-b', 'gone-c']) await server.send('POST', MAPS, map(name, { set: 'gone' }))
  const { metadata } = await get('limit=1&labelSelector=set%3Dgone')
  await server.raw('DELETE', `${MAPS}/gone-b`)
  await server.store.compact(server.store.revision())
  const answer = await server.raw('GET', `${MAPS}?labelSelector=set%3Dgone&continue=${metadata.continue}`)
  assert.equal(answer.status, 410)
  assert.deepEqual([answer.json.kind, answer.json.reason], ['Status', 'Expired'])
  const rest = await get(`labelSelector=set%3Dgone&continue=${answer.json.metadata.continue}`)
  assert.deepEqual(
    rest.items.map(({ metadata: { name } }: Any) => name),
    ['gone-c'],
  )
})

test('a token of another resource, another namespace or nobody is 400', async () => {
  const { metadata } = await get('limit=1')
  for (const [path, token] of [
    ['/api/v1/namespaces/default/secrets', metadata.continue],
    ['/api/v1/namespaces/other/configmaps', metadata.continue],
    [MAPS, 'nonsense'],
    [MAPS, metadata.continue.slice(0, -3)],
  ]) {
    const answer = await server.raw('GET', `${path}?continue=${token}`)
    assert.equal(answer.status, 400, answer.text)
    assert.equal(answer.json.reason, 'BadRequest')
  }
})

for (const [what, path] of [
  ['a list', MAPS],
  ['an object', `${MAPS}/there`],
] as const) {
  test(`${what} of a version that is yet to come is waited for, and 504 when it does not come`, { timeout: 20_000 }, async () => {
    await server.send('POST', MAPS, map('there'))
    const next = Number(server.registry.resourceVersion()) + 1
    const coming = get(`resourceVersion=${next}`, path)
    await server.send('PATCH', `${MAPS}/there`, { data: { next: String(next) } }, 'application/merge-patch+json')
    const seen = await coming
    const object = what === 'a list' ? seen.items.find(({ metadata }: Any) => metadata.name === 'there') : seen
    assert.equal(object.data.next, String(next))
    const answer = await server.raw('GET', `${path}?resourceVersion=${next + 1_000}`)
    assert.equal(answer.status, 504)
    assert.equal(answer.json.reason, 'Timeout')
    assert.deepEqual(answer.json.details.causes, [{ field: '', reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }])
    assert.equal(answer.json.details.retryAfterSeconds, 1)
    assert.equal(answer.headers['retry-after'], '1')
  })
}
