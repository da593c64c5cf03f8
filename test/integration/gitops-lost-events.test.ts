import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { ManifestOrigin } from '../../src/gitops/snapshot.ts'
import { DirectoryEdits } from '../support/directory-edits.ts'
import { eventually } from '../support/eventually.ts'
import { directory, GitOpsWorld } from '../support/gitops-world.ts'

const EDITS = 1_000
const RESTARTS = 5
/** Between two bursts of edits that are not to be applied as one. */
const BURST = 100

async function worldOf(t: TestContext, originOf: (path: string) => ManifestOrigin): Promise<{ world: GitOpsWorld; edits: DirectoryEdits }> {
  const seed = Number(process.env.PMK_TEST_SEED ?? 20_261_123)
  t.diagnostic(`seed ${seed}`)
  const base = mkdtempSync(join(tmpdir(), 'pmk-lost-'))
  const world = await GitOpsWorld.start(originOf)
  t.after(async () => {
    await world.stop()
    rmSync(base, { recursive: true, force: true })
  })
  const edits = new DirectoryEdits(base, seed)
  await world.addSource('edits', { path: edits.watched, prune: true, interval: '1s' })
  return { world, edits }
}

async function isApplied(world: GitOpsWorld, edits: DirectoryEdits): Promise<void> {
  await eventually(async () => assert.deepEqual(await world.configMaps('edits'), edits.expected()), { within: 60_000, every: 50 })
  await eventually(async () => {
    const { status } = await world.source('edits')
    assert.deepEqual([status?.ready, status?.objects], ['True', Object.keys(edits.expected()).length])
  })
}

test(`${EDITS} random edits without one file event end in exactly what the files say`, async (t) => {
  const { world, edits } = await worldOf(t, (path) => directory(path, false))
  for (let n = 1; n <= EDITS; n++) {
    edits.edit()
    if (n % (EDITS / RESTARTS) === BURST) {
      await world.restart()
      await isApplied(world, edits)
    }
  }
  await isApplied(world, edits)
  const { status } = await world.source('edits')
  assert.deepEqual(status?.notes, ['changes are found every 1s only: file events are switched off'])
})

test('edits that file events tell of only until they fall silent are found all the same', async (t) => {
  const silent: AbortController[] = []
  const { world, edits } = await worldOf(t, (path) => {
    const origin = directory(path)
    const silence = new AbortController()
    silent.push(silence)
    return {
      fetch: (signal) => origin.fetch(signal),
      watch: (onChange, signal) => origin.watch(onChange, AbortSignal.any([signal, silence.signal])),
      discard: () => origin.discard(),
    }
  })
  for (let n = 1; n <= EDITS / 5; n++) {
    edits.edit()
    if (n % BURST !== 0) continue
    await isApplied(world, edits)
    for (const silence of silent) silence.abort()
  }
  await isApplied(world, edits)
})
