import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import {
  ApiException,
  CoreV1Api,
  CustomObjectsApi,
  type Informer,
  KubeConfig,
  type KubernetesObject,
  KubernetesObjectApi,
  makeInformer,
  type ObjectCache,
  PatchStrategy,
  type V1ConfigMap,
  VersionApi,
  Watch,
} from '@kubernetes/client-node'
import { apiError } from '../../src/api/status.ts'
import { type ApiServer, createApiServer } from '../../src/apiserver/server.ts'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import { createLocalClient } from '../../src/registry/local-client.ts'
import type { Registry } from '../../src/registry/registry.ts'
import { createRegistry } from '../../src/registry/resource-registry.ts'
import { openLevelStore } from '../../src/storage/level-store.ts'
import type { Store } from '../../src/storage/store.ts'
import { processNamed } from '../support/api-server.ts'
import { eventually } from '../support/eventually.ts'
import { tempDir } from '../support/temp-dir.ts'
import { credentialsFor, TlsAccess } from '../support/tls-access.ts'

const { version } = createRequire(import.meta.url)('@kubernetes/client-node/package.json') as { readonly version: string }

type TempDir = Awaited<ReturnType<typeof tempDir>>

/** A server over a store on disk, with TLS, that can be stopped and started anew on the same port. */
class World {
  readonly #dir: TempDir
  #running: { readonly store: Store; readonly registry: Registry; readonly server: ApiServer } | undefined
  access: TlsAccess | undefined

  private constructor(dir: TempDir) {
    this.#dir = dir
  }

  static async start(): Promise<World> {
    const world = new World(await tempDir())
    await world.run()
    return world
  }

  /** `first` is done before anybody can ask the server. */
  async run(first: (parts: { readonly store: Store; readonly registry: Registry }) => Promise<void> = async () => {}): Promise<void> {
    const store = await openLevelStore({ path: join(this.#dir.path, 'db'), clock: systemClock, log: silentLogger })
    const registry = await createRegistry({ store, clock: systemClock })
    await first({ store, registry })
    const server = createApiServer({
      registry,
      gateways: (node) => {
        throw apiError('ServiceUnavailable', `no agent of node ${node}`)
      },
      clock: systemClock,
      log: silentLogger,
      version: '0.0.0',
      ready: () => ({ ok: true, reasons: [] }),
    })
    this.#running = { store, registry, server }
    if (this.access === undefined) {
      this.access = await TlsAccess.open(server)
      return
    }
    const { port, serverAuthority, clientAuthority } = this.access
    await server.listenSecurely({ host: '127.0.0.1', port, credentials: await credentialsFor(serverAuthority, clientAuthority) })
  }

  get registry(): Registry {
    assert.ok(this.#running)
    return this.#running.registry
  }

  get server(): ApiServer {
    assert.ok(this.#running)
    return this.#running.server
  }

  async config(): Promise<KubeConfig> {
    assert.ok(this.access)
    const config = new KubeConfig()
    config.loadFromString(await this.access.kubeconfig())
    return config
  }

  async stop(): Promise<void> {
    await this.#running?.server.close()
    await this.#running?.store.close()
    this.#running = undefined
  }

  async end(): Promise<void> {
    await this.stop()
    await this.access?.close()
    await this.#dir.remove()
  }
}

/** An informer as its documentation has it: started anew, a moment later, when it reports an error. */
class Followed<T extends KubernetesObject> {
  readonly seen: string[] = []
  readonly errors: unknown[] = []
  lists = 0
  readonly #informer: Informer<T> & ObjectCache<T>
  #stopped = false

  constructor(config: KubeConfig, path: string, list: () => Promise<{ items: T[] }>) {
    this.#informer = makeInformer<T>(config, path, () => {
      this.lists += 1
      return list() as never
    })
    for (const verb of ['add', 'update', 'delete'] as const) {
      this.#informer.on(verb, ({ metadata }) => this.seen.push(`${verb} ${metadata?.name}`))
    }
    this.#informer.on('error', (err) => {
      this.errors.push(err)
      setTimeout(() => {
        if (!this.#stopped) void this.#informer.start()
      }, 50)
    })
  }

  start(): Promise<void> {
    return this.#informer.start()
  }

  names(): readonly string[] {
    return this.#informer
      .list()
      .map(({ metadata }) => metadata?.name ?? '')
      .sort()
  }

  async has(...seen: readonly string[]): Promise<void> {
    await eventually(() => assert.deepEqual(this.seen, seen, String(this.errors)))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#informer.stop()
  }
}

const MAPS = '/api/v1/namespaces/default/configmaps'
const PROCESS = { group: 'pmk.dev', version: 'v1', namespace: 'default', plural: 'processes' }
const map = (name: string, data: Record<string, string> = {}): V1ConfigMap => ({ metadata: { name }, data })

async function refusedWith(code: number, call: Promise<unknown>): Promise<ApiException<unknown>> {
  const err = await call.then(
    () => assert.fail('it was not refused'),
    (caught: unknown) => caught,
  )
  assert.ok(err instanceof ApiException, String(err))
  assert.equal(err.code, code)
  return err
}

describe(`the informer of @kubernetes/client-node ${version}`, () => {
  let world: World
  let config: KubeConfig
  let core: CoreV1Api
  before(async () => {
    world = await World.start()
    config = await world.config()
    core = config.makeApiClient(CoreV1Api)
  })
  after(() => world.end())

  const maps = () => new Followed<V1ConfigMap>(config, MAPS, () => core.listNamespacedConfigMap({ namespace: 'default' }))
  const create = (name: string) => core.createNamespacedConfigMap({ namespace: 'default', body: map(name) })
  const change = (name: string, data: Record<string, string>) =>
    core.replaceNamespacedConfigMap({ namespace: 'default', name, body: map(name, data) })
  const remove = (name: string) => core.deleteNamespacedConfigMap({ namespace: 'default', name })
  const clear = () => core.deleteCollectionNamespacedConfigMap({ namespace: 'default' })

  test('follows adds, updates and deletes, each once', async () => {
    await create('there')
    const followed = maps()
    await followed.start()
    await create('new')
    await change('new', { a: 'b' })
    await remove('there')
    await create('there')
    await followed.has('add there', 'add new', 'update new', 'delete there', 'add there')
    assert.deepEqual(followed.names(), ['new', 'there'])
    assert.deepEqual([followed.lists, followed.errors.length], [1, 0])
    await followed.stop()
    await eventually(() => assert.equal(world.server.streams, 0))
    await clear()
  })

  test('follows Processes', async () => {
    const custom = config.makeApiClient(CustomObjectsApi)
    const followed = new Followed(config, '/apis/pmk.dev/v1/namespaces/default/processes', () => custom.listNamespacedCustomObject(PROCESS))
    await followed.start()
    await custom.createNamespacedCustomObject({ ...PROCESS, body: processNamed('web') })
    await custom.patchNamespacedCustomObject({ ...PROCESS, name: 'web', body: [{ op: 'add', path: '/spec/replicas', value: 2 }] })
    await followed.has('add web', 'update web')
    await followed.stop()
  })

  test('goes on where it was when the server is started anew, though its kind has long been quiet on a busy store', async () => {
    await create('before')
    const followed = maps()
    await followed.start()
    const busy = createLocalClient(world.registry, { fieldManager: 'test' })
    const secret = (n: number) =>
      busy.for('Secret').create({ apiVersion: 'v1', kind: 'Secret', metadata: { name: `busy-${n}`, namespace: 'default' } })
    for (let n = 0; n < 2_000; n += 200) await Promise.all(Array.from({ length: 200 }, (_, i) => secret(n + i)))
    await world.stop()
    await world.run()
    await create('after')
    await followed.has('add before', 'add after')
    await change('before', { a: 'b' })
    await followed.has('add before', 'add after', 'update before')
    assert.equal(followed.lists, 1, 'it listed again')
    await followed.stop()
    await clear()
  })

  test('lists anew when the history that it missed is gone, and loses nothing', async () => {
    for (const name of ['kept', 'lost', 'changed']) await create(name)
    const followed = maps()
    await followed.start()
    await followed.has('add changed', 'add kept', 'add lost')
    await world.stop()
    await world.run(async ({ store, registry }) => {
      const own = createLocalClient(registry, { fieldManager: 'test' }).for('ConfigMap')
      await own.delete({ name: 'lost', namespace: 'default' })
      await own.patch({ name: 'changed', namespace: 'default' }, { type: 'merge', value: { data: { a: 'b' } } })
      await own.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'won', namespace: 'default' } })
      await store.compact(store.revision())
    })
    await followed.has('add changed', 'add kept', 'add lost', 'delete lost', 'update changed', 'add won')
    assert.deepEqual(followed.names(), ['changed', 'kept', 'won'])
    assert.equal(followed.lists, 2)
    await remove('won')
    await eventually(() => assert.equal(followed.seen.at(-1), 'delete won'))
    await followed.stop()
    await clear()
  })
})

describe(`the APIs of @kubernetes/client-node ${version}`, () => {
  let world: World
  let config: KubeConfig
  before(async () => {
    world = await World.start()
    config = await world.config()
  })
  after(() => world.end())

  test('KubernetesObjectApi makes, reads, changes, applies, lists and deletes a Process', async () => {
    const api = KubernetesObjectApi.makeApiClient(config)
    // biome-ignore lint/suspicious/noExplicitAny: the client knows only the metadata of kinds that aren't Kubernetes' own.
    const body = (name: string, extra: object = {}): any => ({ ...processNamed(name), ...extra })
    const head = (name: string) => ({ apiVersion: 'pmk.dev/v1', kind: 'Process', metadata: { name, namespace: 'default' } })
    const made = await api.create(body('object'))
    assert.equal(made.metadata?.namespace, 'default')
    const read = (await api.read(head('object'))) as ReturnType<typeof body>
    assert.equal(read.metadata.uid, made.metadata?.uid)
    const patch = (replicas: number, strategy?: PatchStrategy) =>
      api.patch({ ...head('object'), spec: { replicas } } as ReturnType<typeof body>, undefined, undefined, 'me', undefined, strategy)
    // Strategic merge is what it does unless told otherwise.
    assert.equal((await patch(2)).spec.replicas, 2)
    assert.equal((await patch(3, PatchStrategy.MergePatch)).spec.replicas, 3)
    const applied = await api.patch(body('applied'), undefined, undefined, 'me', true, PatchStrategy.ServerSideApply)
    assert.equal(applied.metadata.managedFields[0].operation, 'Apply')
    const listed = await api.list('pmk.dev/v1', 'Process', 'default')
    assert.deepEqual(
      listed.items.map(({ metadata }) => metadata?.name),
      ['applied', 'object'],
    )
    const current = (await api.read(head('object'))) as ReturnType<typeof body>
    const replaced = await api.replace({ ...current, spec: { ...current.spec, replicas: 4 } })
    assert.equal(replaced.spec.replicas, 4)
    await refusedWith(409, api.replace({ ...current, spec: { ...current.spec, replicas: 5 } }))
    await refusedWith(409, api.create(body('object')))
    await refusedWith(422, api.create(body('bad', { spec: { command: [] } })))
    await api.delete(head('object'))
    // Without controllers nobody ends the duties of its kind.
    assert.ok((await api.read(head('object'))).metadata?.deletionTimestamp)
    await refusedWith(404, api.delete(head('nobody')))
  })

  test('CustomObjectsApi makes, reads, changes by JSON patch, lists and deletes a Process', async () => {
    const api = config.makeApiClient(CustomObjectsApi)
    await api.createNamespacedCustomObject({ ...PROCESS, body: processNamed('custom') })
    const one = { ...PROCESS, name: 'custom' }
    const patched = await api.patchNamespacedCustomObject({ ...one, body: [{ op: 'replace', path: '/spec/replicas', value: 3 }] })
    assert.equal(patched.spec.replicas, 3)
    const read = await api.getNamespacedCustomObject(one)
    assert.equal(read.spec.replicas, 3)
    const everywhere = await api.listCustomObjectForAllNamespaces(PROCESS)
    assert.ok(everywhere.items.some(({ metadata }: KubernetesObject) => metadata?.name === 'custom'))
    const scaled = await api.getNamespacedCustomObjectScale(one)
    assert.equal(scaled.spec.replicas, 3)
    const replaced = await api.replaceNamespacedCustomObject({ ...one, body: { ...read, spec: { ...read.spec, replicas: 1 } } })
    assert.equal(replaced.spec.replicas, 1)
    await refusedWith(422, api.patchNamespacedCustomObject({ ...one, body: [{ op: 'test', path: '/spec/replicas', value: 9 }] }))
    await api.deleteNamespacedCustomObject(one)
    assert.ok((await api.getNamespacedCustomObject(one)).metadata.deletionTimestamp)
    await refusedWith(404, api.getNamespacedCustomObject({ ...one, name: 'nobody' }))
  })

  test('the typed core API makes, reads, lists and deletes, its DELETE with a content type and no body', async () => {
    const core = config.makeApiClient(CoreV1Api)
    const namespace = 'default'
    await core.createNamespacedConfigMap({ namespace, body: map('typed', { a: 'b' }) })
    assert.deepEqual((await core.readNamespacedConfigMap({ namespace, name: 'typed' })).data, { a: 'b' })
    const list = await core.listNamespacedConfigMap({ namespace, labelSelector: '!x', limit: 1 })
    assert.deepEqual(
      list.items.map(({ metadata }) => metadata?.name),
      ['typed'],
    )
    assert.ok(list.metadata?.resourceVersion)
    const secret = await core.createNamespacedSecret({ namespace, body: { metadata: { name: 'typed' }, stringData: { a: 'b' } } })
    assert.equal(secret.data?.a, Buffer.from('b').toString('base64'))
    assert.equal((await core.deleteNamespacedConfigMap({ namespace, name: 'typed' })).status, 'Success')
    await core.deleteNamespacedSecret({ namespace, name: 'typed' })
    await refusedWith(404, core.readNamespacedSecret({ namespace, name: 'typed' }))
    const namespaces = await core.listNamespace()
    assert.ok(namespaces.items.some(({ metadata, status }) => metadata?.name === namespace && status?.phase === 'Active'))
    assert.deepEqual((await core.listNamespacedPod({ namespace })).items, [])
    assert.deepEqual((await core.listNamespacedEvent({ namespace })).items, [])
    assert.deepEqual((await core.listServiceForAllNamespaces()).items, [])
    assert.ok((await config.makeApiClient(VersionApi).getCode()).gitVersion)
  })

  test('a Watch ends without an error when its time is over', async () => {
    const events: string[] = []
    const end = await new Promise((resolve, reject) => {
      new Watch(config)
        .watch('/api/v1/namespaces', { timeoutSeconds: 1, allowWatchBookmarks: true }, (type) => events.push(type), resolve)
        .catch(reject)
    })
    assert.equal(end, null)
    assert.ok(events.includes('ADDED') && events.includes('BOOKMARK'), events.join(', '))
  })
})
