import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { ManifestSource } from '../../src/generated/types.ts'
import { DirectoryEdits } from '../support/directory-edits.ts'
import { eventually } from '../support/eventually.ts'
import { Server } from '../support/pmk.ts'

const EDITS = 1_000
const KILLS = 5

const base = mkdtempSync(join(tmpdir(), 'pmk-edits-'))
const server = await Server.start()
after(async () => {
  await server.close()
  rmSync(base, { recursive: true, force: true })
})

/** What the server holds of the source, by name. */
async function applied(): Promise<Readonly<Record<string, string>>> {
  const { items } = await server.client.for('ConfigMap').list({ namespace: 'default', labelSelector: 'pmk.dev/source=edits' })
  return Object.fromEntries(items.map(({ metadata, data }) => [metadata.name, data?.v ?? '']))
}

test(`${EDITS} random edits of a directory, with the server killed in between, end in exactly what the files say`, async (t) => {
  const seed = Number(process.env.PMK_TEST_SEED ?? 20_261_123)
  t.diagnostic(`seed ${seed}`)
  const edits = new DirectoryEdits(base, seed)
  // An hour: nothing but file events can be what tells of a change.
  await server.apply(
    `apiVersion: pmk.dev/v1\nkind: ManifestSource\nmetadata: {name: edits}\nspec: {path: ${edits.watched}, prune: true, interval: 1h}\n`,
  )
  const source = (): Promise<ManifestSource> => server.client.for('ManifestSource').get({ name: 'edits', namespace: 'default' })
  const counts: Record<string, number> = {}
  for (let n = 1; n <= EDITS; n++) {
    const kind = edits.edit()
    counts[kind] = (counts[kind] ?? 0) + 1
    if (n % Math.floor(EDITS / KILLS) === 100) {
      await server.kill('SIGKILL')
      for (let more = 0; more < 10; more++) edits.edit()
      await server.run()
    }
    // Some edits come one after another, and some while the ones before are applied.
    if (n % 25 === 0)
      await eventually(async () => assert.ok((await source()).status?.attemptedRevision !== undefined, 'nothing was attempted yet'))
  }
  assert.ok(Object.values(counts).every((count) => count > 20) && Object.keys(counts).length === 13, JSON.stringify(counts))
  const begin = performance.now()
  await eventually(async () => assert.deepEqual(await applied(), edits.expected()), { within: 60_000, every: 50 })
  t.diagnostic(`all of it was there ${Math.round(performance.now() - begin)} ms after the last edit`)
  await eventually(async () => {
    const { status } = await source()
    assert.deepEqual([status?.ready, status?.objects], ['True', Object.keys(edits.expected()).length])
  })
  // Single edits later on are found as well.
  for (let n = 0; n < 5; n++) {
    edits.edit()
    const at = performance.now()
    await eventually(async () => assert.deepEqual(await applied(), edits.expected()), { within: 60_000 })
    t.diagnostic(`an edit was there after ${Math.round(performance.now() - at)} ms`)
  }
})
