import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { after, before, describe, test } from 'node:test'
import { ApiextensionsV1Api, CoreV1Api, KubeConfig, Log, Metrics, makeInformer, type V1Pod } from '@kubernetes/client-node'
import { createAgent } from '../../src/agent/agent.ts'
import type { NodeGateway } from '../../src/api/node-gateway.ts'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import type { Client } from '../../src/client/client.ts'
import { createControllers } from '../../src/controllers/control-plane.ts'
import { createLocalClient } from '../../src/registry/local-client.ts'
import { findKubectl, MINORS } from '../kubectl/programs.ts'
import { TestApiServer } from '../support/api-server.ts'
import { eventually } from '../support/eventually.ts'
import { TestMachine } from '../support/posix-runtime.ts'
import { tempDir } from '../support/temp-dir.ts'
import { TlsAccess } from '../support/tls-access.ts'

const NODE = 'here'
/** No command takes nearly as long; one that does hangs. */
const PATIENCE = 60_000

let dir: Awaited<ReturnType<typeof tempDir>>
let machine: TestMachine
let server: TestApiServer
let client: Client
const stop = new AbortController()
let parts: Promise<unknown> = Promise.resolve()

/** API, controllers and agent with programs that really run. */
before(async () => {
  dir = await tempDir()
  machine = new TestMachine()
  await machine.open()
  let gateway: NodeGateway | undefined
  server = await TestApiServer.start({ gateways: () => gateway ?? assert.fail('nobody asks before there is an agent') })
  const clientOf = (fieldManager: string): Client => createLocalClient(server.registry, { fieldManager })
  client = clientOf('test')
  const common = { clock: systemClock, log: silentLogger }
  const agent = createAgent({ ...common, client: clientOf('pmk-agent'), runtime: machine.runtime, nodeName: NODE, version: '0.0.0' })
  gateway = agent.gateway
  const controllers = createControllers({ ...common, client: clientOf('pmk-controllers') })
  parts = Promise.all([agent.run(stop.signal), controllers.run(stop.signal)])
  const access = await TlsAccess.open(server.server)
  writeFileSync(join(dir.path, 'config'), await access.kubeconfig())
  await run('web', 'echo hello from $PMK_INSTANCE; echo oops >&2; exec sleep 1000', 2)
  await run('crash', `[ -e "${dir.path}/crashed" ] && echo second && exec sleep 1000; echo first; touch "${dir.path}/crashed"; exit 3`)
  await run('loop', `echo >>"${dir.path}/deaths"; echo death $(wc -l <"${dir.path}/deaths"); exit 4`, 1, '1h')
  await run('steps', 'echo one; exec sleep 1000')
  await eventually(async () => {
    const { items } = await client.for('Instance').list({})
    assert.deepEqual(
      items.map(({ metadata, status }) => `${metadata.name} ${status?.phase} ${status?.restartCount}`),
      ['crash-0 Running 1', 'loop-0 Pending 1', 'steps-0 Running 0', 'web-0 Running 0', 'web-1 Running 0'],
    )
  })
  const changed = { spec: { script: 'echo one; exec sleep 2000' } }
  const { metadata } = await client.for('Process').patch({ name: 'steps' }, { type: 'merge', value: changed })
  await eventually(async () => {
    const { status } = await client.for('Process').get({ name: 'steps' })
    assert.deepEqual([status?.observedGeneration, status?.updatedReplicas, status?.readyReplicas], [metadata.generation, 1, 1])
  })
})
after(async () => {
  stop.abort()
  await parts
  await server.stop()
  await machine.destroy()
  await dir.remove()
})

async function run(name: string, script: string, replicas = 1, initial = '10ms'): Promise<void> {
  const metadata = { name, namespace: 'default', labels: { app: name } }
  const backoff = { initial, max: '1h' }
  await client.for('Process').create({ apiVersion: 'pmk.dev/v1', kind: 'Process', metadata, spec: { script, replicas, backoff } })
}

for (const minor of MINORS) {
  const program = findKubectl(minor)
  describe(`kubectl 1.${minor}`, { skip: program === undefined && `there is no kubectl 1.${minor} on this machine` }, () => {
    const start = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
      spawn(program ?? '', args, {
        cwd: dir.path,
        env: { PATH: process.env.PATH, HOME: join(dir.path, `home-${minor}`), KUBECONFIG: join(dir.path, 'config'), ...env },
        timeout: PATIENCE,
        stdio: ['ignore', 'pipe', 'pipe'],
      })

    async function kubectl(line: string, env?: Readonly<Record<string, string>>): Promise<{ code: number; out: string; err: string }> {
      const child = start(line.split(' '), env)
      let [out, err] = ['', '']
      child.stdout.on('data', (chunk: Buffer) => {
        out += chunk.toString()
      })
      child.stderr.on('data', (chunk: Buffer) => {
        err += chunk.toString()
      })
      const [code] = await once(child, 'close')
      return { code, out, err }
    }
    async function prints(line: string, expected: RegExp | string, env?: Readonly<Record<string, string>>): Promise<void> {
      const { code, out, err } = await kubectl(line, env)
      assert.equal(code, 0, `kubectl ${line}: ${err}`)
      if (typeof expected === 'string') assert.equal(out, expected, `kubectl ${line}`)
      else assert.match(out, expected, `kubectl ${line}`)
    }
    async function fails(line: string, expected: RegExp): Promise<void> {
      const { code, err } = await kubectl(line)
      assert.equal(code, 1, `kubectl ${line}`)
      assert.match(err, expected, `kubectl ${line}`)
    }

    test('shows Instances as Pods, and once in all', async () => {
      await prints(
        'get pods -l app=web',
        /^NAME +READY +STATUS +RESTARTS +AGE\nweb-0 +1\/1 +Running +0 +\d+s\nweb-1 +1\/1 +Running +0 +\d+s\n$/,
      )
      await prints('get po -A --field-selector metadata.name=crash-0 -o wide --no-headers', / 1 .* here +<none> +<none>\n$/)
      await prints('get pods --field-selector status.phase=Pending -o name', 'pod/loop-0\n')
      await prints('get pods -l app=web -o jsonpath={.items[*].spec.containers[*].name}', 'web web')
      await prints('wait --for=condition=Ready pod/web-0 pod/web-1', /pod\/web-1 condition met/)
      const { out } = await kubectl('get all')
      assert.match(out, /instance\.pmk\.dev\/web-0 /)
      assert.doesNotMatch(out, /pod\//)
      await prints(
        'describe pod crash-0',
        /Last State: +Terminated\n +Reason: +Error\n +Message: .*\n +Exit Code: +3\n(.*\n)*Events:\n(.*\n)*.* Exited .* Exited with code 3\n/,
      )
      await fails('delete pod web-0', /MethodNotAllowed|not allow/)
    })

    test('reads logs with all its options', async () => {
      await prints('logs web-0', 'hello from web-0\noops\n')
      await prints('logs pod/web-1 -c web --tail=1', 'oops\n')
      await prints('logs web-0 --limit-bytes=5', 'hello')
      await prints('logs web-0 --timestamps', /^(\d{4}-\d\d-\d\dT[\d:.]+Z (hello from web-0|oops)\n){2}$/)
      await prints('logs web-0 --since=1h', 'hello from web-0\noops\n')
      await prints('logs web-0 --since-time=2999-01-01T00:00:00Z', '')
      const all = await kubectl('logs -l app=web --all-containers --prefix')
      assert.deepEqual(all.out.trimEnd().split('\n').sort(), [
        '[pod/web-0/web] hello from web-0',
        '[pod/web-0/web] oops',
        '[pod/web-1/web] hello from web-1',
        '[pod/web-1/web] oops',
      ])
    })

    test('reads the log of the run before', async () => {
      await prints('logs crash-0', 'second\n')
      await prints('logs -p crash-0', 'first\n')
      await prints('get pod loop-0 --no-headers', /^loop-0 +0\/1 +CrashLoopBackOff +1 /)
      await prints('logs loop-0', 'death 2\n')
      await prints('logs -p loop-0', 'death 2\n')
      await fails('logs -p web-0', /previous terminated container "web" in pod "web-0" not found/)
    })

    test('follows a log, also into the next run', async () => {
      const child = start(['logs', '-f', 'steps-0'])
      let out = ''
      child.stdout.on('data', (chunk: Buffer) => {
        out += chunk.toString()
      })
      const closed = once(child, 'close')
      try {
        await eventually(() => assert.match(out, /one\n$/, 'the log has not begun'))
        const { attempt = 0 } = (await client.for('Instance').get({ namespace: 'default', name: 'steps-0' })).status ?? {}
        await client
          .for('Instance')
          .patch({ namespace: 'default', name: 'steps-0' }, { type: 'merge', value: { spec: { restartedAt: systemClock.now() } } })
        await eventually(() => assert.match(out, /one\none\n$/, `run ${attempt} is not followed by another`))
      } finally {
        child.kill()
        await closed
      }
    })

    test('refuses what can not be: logs of a Process, a container that is not there', async () => {
      await fails('logs process/web', /no kind "Process" is registered|cannot get the logs/)
      await fails('logs web-0 -c sidecar', /container sidecar is not valid for pod web-0/)
      await fails('logs none', /pods "none" not found/)
    })

    test('tells what Pods use', async () => {
      const row = ' +\\d+m +\\d+Mi *\n'
      await prints('top pods -l app=web', new RegExp(`^NAME +CPU\\(cores\\) +MEMORY\\(bytes\\) *\nweb-0${row}web-1${row}$`))
      await prints('top pod web-0 --containers --no-headers', new RegExp(`^web-0 +web${row}$`))
    })

    test('shows the Events of what it describes, and new ones as they come', async () => {
      await prints('describe instance crash-0', /\nEvents:\n +Type +Reason +Age +From +Message\n/)
      await prints('describe process steps', /\nEvents:\n(.*\n)* +Normal +NewRevision /)
      await prints('events --for instance/crash-0', /^LAST SEEN +TYPE +REASON +OBJECT +MESSAGE\n(.* Instance\/crash-0 .*\n)+$/)
      await prints('get events --field-selector involvedObject.name=steps,involvedObject.kind=Process', / NewRevision +process\/steps /)
      const { metadata } = await client.for('Instance').get({ namespace: 'default', name: 'steps-0' })
      const child = start(['events', '--for', 'instance/steps-0', '-w'])
      let out = ''
      child.stdout.on('data', (chunk: Buffer) => {
        out += chunk.toString()
      })
      const closed = once(child, 'close')
      try {
        await eventually(() => assert.match(out, /Instance\/steps-0/, 'the old ones are not shown yet'))
        const now = systemClock.now()
        await client.for('Event').create({
          apiVersion: 'v1',
          kind: 'Event',
          metadata: { generateName: 'steps-0.', namespace: 'default' },
          involvedObject: { apiVersion: 'pmk.dev/v1', kind: 'Instance', namespace: 'default', name: 'steps-0', uid: metadata.uid },
          type: 'Normal',
          reason: `Watched${minor}`,
          message: 'as it comes',
          count: 1,
          firstTimestamp: now,
          lastTimestamp: now,
        })
        await eventually(() =>
          assert.match(out, new RegExp(`Watched${minor} +Instance/steps-0 +as it comes\n`), 'the new one is not shown'),
        )
      } finally {
        child.kill()
        await closed
      }
    })

    for (const parent of ['secrets', 'configmaps']) {
      test(`prunes what left an ApplySet whose parent is one of ${parent}`, async () => {
        const set = `${parent}/set-${minor}`
        const apply = `apply -n default --prune --applyset=${set} -f set-${minor}.json`
        const gate = { KUBECTL_APPLYSET: 'true' }
        const process = (name: string): object => ({
          apiVersion: 'pmk.dev/v1',
          kind: 'Process',
          metadata: { name: `${parent}-${name}-${minor}` },
          spec: { command: ['sleep', '1000'], replicas: 0 },
        })
        const write = (items: readonly object[]): void =>
          writeFileSync(join(dir.path, `set-${minor}.json`), JSON.stringify({ apiVersion: 'v1', kind: 'List', items }))
        write([process('stays'), process('goes')])
        await prints(apply, /stays-\d+ created\n.*goes-\d+ created\n$/, gate)
        write([process('stays')])
        await prints(apply, /stays-\d+ unchanged\n.*goes-\d+ pruned\n$/, gate)
        await prints(`get process -l applyset.kubernetes.io/part-of -o name`, new RegExp(`/${parent}-stays-${minor}\n`))
        await fails(`get process ${parent}-goes-${minor}`, /NotFound/)
      })
    }

    test('tells where the cluster is, and which kinds are custom ones', async () => {
      await prints('cluster-info', /is running at/)
      await prints('get crd', /^NAME +CREATED AT\ninstances\.pmk\.dev +\d{4}-/)
      await prints(
        'get crd processes.pmk.dev -o jsonpath={.spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.replicas.type}',
        'integer',
      )
      await prints('wait --for=condition=Established crd/processes.pmk.dev', /condition met/)
      await prints('explain pod.status.containerStatuses.restartCount', /restartCount/)
    })
  })
}

describe('@kubernetes/client-node', () => {
  const config = new KubeConfig()
  before(() => config.loadFromFile(join(dir.path, 'config')))

  test('reads Pods, what they use, and which kinds are custom ones', async () => {
    const core = config.makeApiClient(CoreV1Api)
    const { items } = await core.listNamespacedPod({ namespace: 'default', labelSelector: 'app=crash' })
    const [container] = items[0]?.status?.containerStatuses ?? []
    assert.deepEqual([container?.restartCount, container?.lastState?.terminated?.exitCode], [1, 3])
    const { items: metrics } = await new Metrics(config).getPodMetrics('default')
    assert.deepEqual(metrics.map(({ metadata }) => metadata.name).sort(), ['crash-0', 'steps-0', 'web-0', 'web-1'])
    const definitions = await config.makeApiClient(ApiextensionsV1Api).listCustomResourceDefinition()
    assert.ok(definitions.items.some(({ spec }) => spec.names.kind === 'Process'))
  })

  test('follows a log until it is let go', async () => {
    const stream = new PassThrough()
    let out = ''
    stream.on('data', (chunk: Buffer) => {
      out += chunk.toString()
    })
    const following = await new Log(config).log('default', 'web-0', 'web', stream, { follow: true, tailLines: 1 })
    await eventually(() => assert.equal(out, 'oops\n'))
    following.abort()
    await eventually(() => assert.equal(server.server.streams, 0, 'the server still follows'))
  })

  test('an informer of Pods hears of what happens to Instances', async () => {
    const core = config.makeApiClient(CoreV1Api)
    const pods = makeInformer<V1Pod>(config, '/api/v1/namespaces/default/pods', () => core.listNamespacedPod({ namespace: 'default' }))
    const seen: string[] = []
    pods.on('update', ({ metadata, status }) => seen.push(`${metadata?.name} ${status?.reason}`))
    await pods.start()
    try {
      await client.for('Process').patch({ name: 'web' }, { type: 'merge', value: { spec: { desiredState: 'Stopped' } } })
      await eventually(() => assert.ok(seen.includes('web-0 Stopped') && seen.includes('web-1 Stopped'), String(seen)))
      assert.equal(pods.get('web-0', 'default')?.status?.phase, 'Succeeded')
    } finally {
      await pods.stop()
    }
  })
})
