import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import { BackupError, backupOf, isHeader, readBackup } from '../../../src/storage/backup.ts'
import { MemoryStore } from '../../../src/storage/memory-store.ts'
import type { KeyValue } from '../../../src/storage/store.ts'
import { FakeClock } from '../../support/fake-clock.ts'

const ABOUT = { createdAt: '2026-01-01T00:00:00.000Z', writtenBy: '0.0.0' }

async function bytesOf(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = []
  for await (const chunk of chunks) all.push(chunk)
  return Buffer.concat(all)
}

async function* inPieces(bytes: Buffer, size = 100): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size)
}

async function recordsIn(bytes: Buffer, size?: number): Promise<readonly KeyValue[]> {
  const records: KeyValue[] = []
  for await (const item of readBackup(inPieces(bytes, size))) if (!isHeader(item)) records.push(item)
  return records
}

async function filledStore(): Promise<MemoryStore> {
  const store = new MemoryStore({ clock: new FakeClock() })
  for (let n = 0; n < 20; n++) await store.put(`k/${n}`, `{"ü😀":${n}}\n`, 0)
  const { modRevision } = (await store.get('k/3')) ?? { modRevision: 0 }
  await store.put('k/3', 'changed', modRevision)
  return store
}

describe('a backup', () => {
  test('holds every key as it was at one revision, however long it is read and whatever is written meanwhile', async () => {
    const store = await filledStore()
    const { items, revision } = await store.range('')
    const backup = await backupOf(store, ABOUT)
    for (let n = 0; n < 20; n++) await store.put(`later/${n}`, 'x', 0)
    assert.equal(backup.revision, revision)
    const bytes = await bytesOf(backup.chunks)
    for (const size of [1, 7, 100_000]) assert.deepEqual(await recordsIn(bytes, size), items)
    const header = JSON.parse(gunzipSync(bytes).toString().split('\n')[0] ?? '')
    assert.deepEqual(header, { pmkBackup: 1, storeFormat: 1, revision, ...ABOUT })
  })

  test('of an empty store is whole, too', async () => {
    const bytes = await bytesOf((await backupOf(new MemoryStore({ clock: new FakeClock() }), ABOUT)).chunks)
    assert.deepEqual(await recordsIn(bytes), [])
  })

  test('that is cut off anywhere is refused', async () => {
    const bytes = await bytesOf((await backupOf(await filledStore(), ABOUT)).chunks)
    for (let length = 0; length < bytes.length; length += 3) {
      await assert.rejects(recordsIn(bytes.subarray(0, length)), BackupError, `${length} of ${bytes.length} bytes`)
    }
    const lines = gunzipSync(bytes).toString().split('\n')
    for (let count = 0; count < lines.length - 1; count++) {
      const cut = lines.slice(0, count).map((line) => `${line}\n`)
      await assert.rejects(recordsIn(gzipSync(cut.join(''))), BackupError, `${count} lines`)
    }
    await assert.rejects(recordsIn(gzipSync(`${lines.slice(0, 6).join('\n')}\n`)), /cut off behind record 5 \(k\/12\)/)
  })

  test('of which any byte is another is refused', async () => {
    const bytes = await bytesOf((await backupOf(await filledStore(), ABOUT)).chunks)
    const whole = await recordsIn(bytes)
    // Bytes 3 to 9 of the gzip header say when and where it was compressed.
    for (let at = 10; at < bytes.length; at++) {
      const altered = Buffer.from(bytes)
      altered[at] = (altered[at] ?? 0) ^ 0x10
      const result = await recordsIn(altered).catch((err: unknown) => err)
      assert.ok(result instanceof BackupError || JSON.stringify(result) === JSON.stringify(whole), `byte ${at}: ${result}`)
    }
  })

  const alterations: readonly { readonly given: string; readonly change: (lines: string[]) => readonly string[]; readonly says: RegExp }[] =
    [
      { given: 'a line gone', change: (lines) => lines.toSpliced(4, 1), says: /there should be 20 records/ },
      {
        given: 'two lines that changed places',
        change: ([a = '', b = '', c = '', ...rest]) => [a, c, b, ...rest],
        says: /not in its place/,
      },
      {
        given: 'a value changed',
        change: (lines) => lines.map((line) => line.replace('changed', 'Changed')),
        says: /behind record \d+ .*checksum/,
      },
      {
        given: 'a header changed',
        change: ([head = '', ...rest]) => [head.replace('2026', '2027'), ...rest],
        says: /checksum of the whole/,
      },
      {
        given: 'a newer format',
        change: ([head = '', ...rest]) => [head.replace('"pmkBackup":1', '"pmkBackup":2'), ...rest],
        says: /newer format/,
      },
      {
        given: 'a newer store',
        change: ([head = '', ...rest]) => [head.replace('"storeFormat":1', '"storeFormat":9'), ...rest],
        says: /newer format/,
      },
      { given: 'something behind the end', change: (lines) => [...lines.slice(0, -1), 'more', ''], says: /behind its last line/ },
      { given: 'another file', change: () => ['{"kind":"List"}', ''], says: /does not begin as a backup/ },
    ]
  for (const { given, change, says } of alterations) {
    test(`with ${given} is refused`, async () => {
      const lines = gunzipSync(await bytesOf((await backupOf(await filledStore(), ABOUT)).chunks))
        .toString()
        .split('\n')
      const bytes = gzipSync(change(lines).join('\n'))
      await assert.rejects(recordsIn(bytes), (err: Error) => err instanceof BackupError && says.test(err.message))
    })
  }

  test('that is no gzip is refused', async () => {
    await assert.rejects(recordsIn(Buffer.from('apiVersion: v1\n')), /damaged at its beginning: incorrect header check/)
  })
})
