import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { ManifestSource } from '../../src/generated/types.ts'
import { eventually } from '../support/eventually.ts'
import { Server } from '../support/pmk.ts'

const COUNT = 10_000
const PROCESSES = 10

/** The files come at once, with their directory moved to where it is looked for. */
test(`${COUNT} files that come at once are applied, and requests are answered meanwhile`, { timeout: 300_000 }, async (t) => {
  const base = mkdtempSync(join(tmpdir(), 'pmk-many-files-'))
  const server = await Server.start()
  t.after(async () => {
    await server.close()
    rmSync(base, { recursive: true, force: true })
  })
  const [ready, root] = [join(base, 'ready'), join(base, 'manifests')]
  for (let n = 0; n < COUNT; n++) {
    const directory = join(ready, String(n % 100))
    if (n < 100) mkdirSync(directory, { recursive: true })
    const manifest =
      n < PROCESSES
        ? `apiVersion: pmk.dev/v1\nkind: Process\nmetadata: {name: p${n}}\nspec: {command: [sleep, "1000000"]}\n`
        : `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c${n}}\ndata: {n: "${n}"}\n`
    writeFileSync(join(directory, `${n}.yaml`), manifest)
  }
  await server.apply(
    `apiVersion: pmk.dev/v1\nkind: ManifestSource\nmetadata: {name: many}\nspec: {path: ${root}, prune: true, wait: true, interval: 1h}\n`,
  )
  const source = (): Promise<ManifestSource> => server.client.for('ManifestSource').get({ name: 'many', namespace: 'default' })
  await eventually(async () => assert.equal((await source()).status?.reason, 'PathNotFound'))
  renameSync(ready, root)

  const took: number[] = []
  let isDone = false
  const asking = (async (): Promise<void> => {
    while (!isDone) {
      const begin = performance.now()
      await server.client.for('Namespace').get({ name: 'default' })
      took.push(performance.now() - begin)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })()
  const begin = performance.now()
  const { status } = await eventually(
    async () => {
      const found = await source()
      assert.equal(found.status?.ready, 'True', found.status?.message)
      return found
    },
    { within: 240_000, every: 500 },
  ).finally(() => {
    isDone = true
  })
  await asking
  assert.deepEqual([status?.objects, status?.files, status?.errors], [COUNT, COUNT, undefined])
  const slowest = took.sort((a, b) => a - b).at(-1) ?? 0
  t.diagnostic(
    `all were there after ${Math.round(performance.now() - begin)} ms; ${took.length} requests meanwhile, the slowest ${Math.round(slowest)} ms`,
  )
  const { items } = await server.client.for('ConfigMap').list({ namespace: 'default', labelSelector: 'pmk.dev/source=many' })
  assert.equal(items.length, COUNT - PROCESSES)
  const processes = await server.client.for('Process').list({ namespace: 'default' })
  assert.equal(processes.items.filter((process) => process.status?.readyReplicas === 1).length, PROCESSES)

  // One file of them all: found by its event, and nothing else is written for it.
  const revision = Number((await source()).metadata.resourceVersion)
  writeFileSync(join(root, '77', '77.yaml'), 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c77}\ndata: {n: changed}\n')
  await eventually(async () => {
    const changed = await server.client.for('ConfigMap').get({ namespace: 'default', name: 'c77' })
    assert.equal(changed.data?.n, 'changed')
    assert.ok((await source()).status?.appliedRevision !== status?.appliedRevision, 'the new revision is not told yet')
  })
  const after = await server.client.for('ConfigMap').list({ namespace: 'default', labelSelector: 'pmk.dev/source=many' })
  const written = after.items.filter(({ metadata }) => Number(metadata.resourceVersion) > revision).map(({ metadata }) => metadata.name)
  assert.deepEqual(written, ['c77'])
})
