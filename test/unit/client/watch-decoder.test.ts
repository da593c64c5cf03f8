import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasReason } from '../../../src/api/status.ts'
import { seededRandom } from '../../../src/base/random.ts'
import { decodeWatch } from '../../../src/client/watch-decoder.ts'

const object = { apiVersion: 'pmk.dev/v1', kind: 'Process', metadata: { name: 'wéb', resourceVersion: '5' } }

async function* chunksOf(bytes: Uint8Array, random: () => number = () => 0.999): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; ) {
    const length = Math.max(1, Math.floor(random() * 40))
    yield bytes.subarray(start, start + length)
    start += length
  }
}

async function decode(text: string, random?: () => number): Promise<unknown[]> {
  const events: unknown[] = []
  for await (const event of decodeWatch(chunksOf(Buffer.from(text), random))) events.push(event)
  return events
}

test('events come out as they went in, wherever the chunks are cut', async () => {
  const lines = [
    { type: 'ADDED', object },
    { type: 'MODIFIED', object },
    { type: 'BOOKMARK', object: { metadata: { resourceVersion: '6', annotations: { 'k8s.io/initial-events-end': 'true' } } } },
    { type: 'DELETED', object },
    { type: 'BOOKMARK', object: { metadata: { resourceVersion: '7' } } },
  ]
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('')
  const random = seededRandom(3)
  for (let round = 0; round < 50; round++) {
    assert.deepEqual(await decode(text, random), [
      { type: 'ADDED', object },
      { type: 'MODIFIED', object },
      { type: 'BOOKMARK', resourceVersion: '6', initialEventsEnd: true },
      { type: 'DELETED', object },
      { type: 'BOOKMARK', resourceVersion: '7' },
    ])
  }
})

test('an ERROR event is thrown as the Status that it holds', async () => {
  const status = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' }
  await assert.rejects(decode(`${JSON.stringify({ type: 'ERROR', object: status })}\n`), (err) => hasReason(err, 'Expired'))
})

for (const line of ['not json', '{}', '[]', '{"type":"ADDED"}', '{"type":"OTHER","object":{}}', '{"type":"BOOKMARK","object":{}}', '']) {
  test(`the line ${JSON.stringify(line)} is an error, not something to skip`, async () => {
    await assert.rejects(decode(`${line}\n`), (err) => hasReason(err, 'InternalError'))
  })
}

test('a body that ends in the middle of a line is a lost connection', async () => {
  await assert.rejects(decode(JSON.stringify({ type: 'ADDED', object })), (err) => hasReason(err, 'ServiceUnavailable'))
})
