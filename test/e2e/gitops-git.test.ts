import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { findCondition } from '../../src/api/conditions.ts'
import type { ManifestSource } from '../../src/generated/types.ts'
import { eventually } from '../support/eventually.ts'
import { GitRemote } from '../support/git-remote.ts'
import { missing, Server } from '../support/pmk.ts'

const skip = missing('git', 'setpriv', 'prlimit')

function config(name: string, value: string): string {
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {v: "${value}"}\n`
}

describe('a bare repository on disk that a server follows', { skip }, () => {
  let server: Server
  let remote: GitRemote

  before(async () => {
    remote = await GitRemote.create()
    server = await Server.start()
    await remote.commit({ 'a.yaml': config('a', '1'), 'b.yaml': config('b', '1') })
    const git = `{url: "${remote.url}", ref: {branch: main}}`
    await server.apply(
      `apiVersion: pmk.dev/v1\nkind: ManifestSource\nmetadata: {name: repo}\nspec: {git: ${git}, interval: 1s, prune: true}\n`,
    )
    await eventually(async () => assert.deepEqual(await applied(), { a: '1', b: '1' }))
  })
  after(async () => {
    await server?.close()
    remote?.remove()
  })

  async function applied(): Promise<Readonly<Record<string, string>>> {
    const { items } = await server.client.for('ConfigMap').list({ namespace: 'default', labelSelector: 'pmk.dev/source=repo' })
    return Object.fromEntries(items.map(({ metadata, data }) => [metadata.name, data?.v ?? '']))
  }

  function source(): Promise<ManifestSource> {
    return server.client.for('ManifestSource').get({ name: 'repo', namespace: 'default' })
  }

  /** What is told of a failure, in status and as an Event; what is applied stays. */
  async function told(reason: string, message: RegExp, going: 'Stalled' | 'Reconciling'): Promise<void> {
    const kept = await applied()
    await eventually(async () => {
      const { status } = await source()
      assert.deepEqual([status?.ready, status?.reason], ['False', reason], status?.message)
      assert.match(status?.message ?? '', message)
      assert.equal(findCondition(status?.conditions, going)?.status, 'True', `is not ${going}`)
    })
    await eventually(async () => {
      const { items } = await server.client.for('Event').list({ namespace: 'default' })
      const found = items.some((event) => event.reason === reason && event.type === 'Warning' && message.test(event.message ?? ''))
      assert.ok(found, `no Event: ${items.map((event) => `${event.reason} ${event.message}`).join('; ')}`)
    })
    assert.deepEqual(await applied(), kept)
    assert.match(await server.ok('get', 'sources'), message)
  }

  async function well(expected: Readonly<Record<string, string>>): Promise<void> {
    await eventually(async () => {
      assert.deepEqual(await applied(), expected)
      const { status } = await source()
      assert.deepEqual([status?.ready, status?.appliedRevision], ['True', await remote.git('rev-parse', 'main')])
    })
  }

  test('a push is live within the polling interval, and the next one', async (t) => {
    const times: number[] = []
    for (const value of ['2', '3', '4']) {
      await remote.commit({ 'a.yaml': config('a', value), 'b.yaml': config('b', '1') })
      const begin = performance.now()
      await eventually(async () => assert.equal((await applied()).a, value))
      times.push(Math.round(performance.now() - begin))
    }
    t.diagnostic(`live after ${times.join(', ')} ms, at an interval of 1 s`)
    await well({ a: '4', b: '1' })
  })

  test('a push by force replaces what was there', async () => {
    await remote.commit({ 'c.yaml': config('c', '1') }, { orphan: true })
    await well({ c: '1' })
  })

  test('a huge file is named and changes nothing', async () => {
    await remote.commit({ 'c.yaml': config('c', '2'), 'big.yaml': `# ${'x'.repeat(5_000_000)}\n` })
    await told('InvalidManifests', /big\.yaml: has 4\.8Mi, more than 4Mi/, 'Stalled')
    assert.deepEqual(await applied(), { c: '1' })
  })

  test('links out of the repository and submodules are passed over and noted', async () => {
    await remote.commit({
      'c.yaml': config('c', '3'),
      'out.yaml': { mode: '120000', data: '../../../../../../etc/hostname' },
      'absolute.yaml': { mode: '120000', data: '/etc/hostname' },
      vendor: { mode: '160000', data: 'a'.repeat(40) },
    })
    await well({ c: '3' })
    const notes = (await source()).status?.notes ?? []
    assert.deepEqual(
      [...notes].sort(),
      [
        'absolute.yaml: a link that leads nowhere in the repository; passed over',
        'out.yaml: a link that leads nowhere in the repository; passed over',
        'vendor: a submodule; passed over',
      ],
      'of each it is told',
    )
  })

  test('a branch that was deleted keeps what is applied, and goes on when it is back', async () => {
    const commit = await remote.git('rev-parse', 'main')
    await remote.git('update-ref', '-d', 'refs/heads/main')
    await told('RefNotFound', /main is not in file:/, 'Stalled')
    await remote.git('update-ref', 'refs/heads/main', commit)
    await well({ c: '3' })
  })

  test('a remote that is away keeps what is applied, is asked again each interval, and goes on when it is back', async () => {
    renameSync(remote.path, `${remote.path}.away`)
    await told('RemoteUnreachable', /does not appear to be a git repository/, 'Reconciling')
    renameSync(`${remote.path}.away`, remote.path)
    await remote.commit({ 'c.yaml': config('c', '4') })
    await well({ c: '4' })
  })

  test('a server that was killed goes on, with nothing left of credentials or of repositories that nobody follows', async () => {
    const place = join(server.dataDir, 'sources')
    assert.equal(readdirSync(place).length, 1)
    const [name = ''] = readdirSync(place)
    await server.kill()
    for (const directory of [join(place, name, 'login'), join(place, 'gone-0123', 'login')]) {
      mkdirSync(directory, { recursive: true })
      writeFileSync(join(directory, 'gitconfig'), 'secret')
    }
    await remote.commit({ 'c.yaml': config('c', '5') })
    await server.run()
    await well({ c: '5' })
    await eventually(() => assert.deepEqual(readdirSync(place), [name]))
    // Between two polls there is nothing; during one there is.
    await eventually(() => assert.equal(existsSync(join(place, name, 'login')), false, 'credentials are still there'))
  })

  test('a source that points elsewhere, and one that is deleted, leave nothing on disk', async () => {
    const place = join(server.dataDir, 'sources')
    const [name] = readdirSync(place)
    const other = await GitRemote.create()
    await other.commit({ 'd.yaml': config('d', '1') })
    await server.ok('patch', 'source', 'repo', '--type=merge', '-p', JSON.stringify({ spec: { git: { url: other.url } } }))
    await eventually(async () => assert.deepEqual(await applied(), { d: '1' }))
    await eventually(() => assert.ok(readdirSync(place).length === 1 && readdirSync(place)[0] !== name, 'the old one is still there'))
    await server.ok('delete', 'source', 'repo')
    await eventually(() => assert.deepEqual(readdirSync(place), []))
    other.remove()
  })
})
