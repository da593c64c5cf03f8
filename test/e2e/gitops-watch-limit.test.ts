import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { Server } from '../support/pmk.ts'

const DIRECTORIES = 60
/** In a user namespace of its own, that may have fewer watches than there are directories. */
const UNDER = ['unshare', '--user', '--map-root-user', 'sh', '-c', 'echo 30 >/proc/sys/user/max_inotify_watches && exec "$@"', 'sh']
const isPossible = spawnSync(UNDER[0] ?? '', [...UNDER.slice(1), 'true']).status === 0

test('where the kernel gives no more watches the source says so, and edits are found at its interval', {
  skip: isPossible ? false : 'NOT TESTED: no user namespace whose limit of watches can be set',
}, async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'pmk-watches-'))
  const server = await Server.start({ under: UNDER })
  t.after(async () => {
    await server.close()
    rmSync(root, { recursive: true, force: true })
  })
  const write = (name: string, value: string): void =>
    writeFileSync(join(root, name, 'a.yaml'), `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {v: "${value}"}\n`)
  const names = Array.from({ length: DIRECTORIES }, (_, n) => `d${n}`)
  for (const name of names) {
    mkdirSync(join(root, name))
    write(name, 'old')
  }
  await server.apply(
    `apiVersion: pmk.dev/v1\nkind: ManifestSource\nmetadata: {name: many}\nspec: {path: ${root}, prune: true, interval: 1s}\n`,
  )
  const values = async (): Promise<readonly string[]> => {
    const { items } = await server.client.for('ConfigMap').list({ namespace: 'default', labelSelector: 'pmk.dev/source=many' })
    return items.map(({ data }) => data?.v ?? '')
  }
  await eventually(async () => assert.deepEqual(await values(), Array<string>(DIRECTORIES).fill('old')))
  await eventually(async () => {
    const { status } = await server.client.for('ManifestSource').get({ name: 'many', namespace: 'default' })
    assert.equal(status?.ready, 'True')
    assert.match(status?.notes?.join() ?? '', /^changes are found every 1s only: the limit fs\.inotify\.max_user_watches is reached at \//)
  })
  for (const name of names) write(name, 'new')
  await eventually(async () => assert.deepEqual(await values(), Array<string>(DIRECTORIES).fill('new')))
})
