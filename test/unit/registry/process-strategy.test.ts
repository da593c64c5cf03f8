import assert from 'node:assert/strict'
import test from 'node:test'
import { hasReason } from '../../../src/api/status.ts'
import type { ProcessSpec } from '../../../src/generated/types.ts'
import { testRegistry } from './support.ts'

/** Field and text of each cause; `[]` for a spec that is accepted. */
interface Row {
  readonly given: string
  readonly spec: object
  readonly causes: readonly (readonly [field: string, message: RegExp])[]
}

const command = ['sleep', '60']
const LONG = 'x'.repeat(131_072)

const rows: readonly Row[] = [
  {
    given: 'neither command nor script',
    spec: {},
    causes: [['spec.command', /^Required value: either command or script says what to run$/]],
  },
  { given: 'both command and script', spec: { command, script: 'date' }, causes: [['spec.script', /^Forbidden: command is set too/]] },
  { given: 'a command and an empty script', spec: { command, script: '' }, causes: [] },
  { given: 'a script', spec: { script: 'date' }, causes: [] },
  { given: 'a command without a name', spec: { command: [''] }, causes: [['spec.command[0]', /must name a program/]] },
  { given: 'a NUL byte in an argument', spec: { command, args: ['a', 'b\0c'] }, causes: [['spec.args[1]', /NUL byte/]] },
  { given: 'a word that is too long', spec: { command: ['sh', LONG] }, causes: [['spec.command[1]', /no word of more than 131071 bytes/]] },
  { given: 'a word that just fits', spec: { command: ['sh', LONG.slice(1)] }, causes: [] },
  {
    given: 'a short word that is long in bytes',
    spec: { command: ['sh', 'ü'.repeat(65_536)] },
    causes: [['spec.command[1]', /131071 bytes/]],
  },
  {
    given: 'limits, one of them as a number',
    spec: { command, resources: { limits: { cpu: 1.5, memory: '512Mi', pids: 200 } } },
    causes: [],
  },
  {
    given: 'limits that nothing could run under',
    spec: { command, resources: { limits: { cpu: '5m', memory: '512m' } } },
    causes: [
      ['spec.resources.limits.cpu', /at least 10m, a hundredth of a core/],
      ['spec.resources.limits.memory', /between 1Mi and 8Pi: m is a thousandth; did you mean 512Mi\?/],
    ],
  },
  {
    given: 'a limit that is no quantity and one that is no number of processes',
    spec: { command, resources: { limits: { memory: '512MB', pids: 0 } } },
    causes: [
      ['spec.resources.limits.memory', /must be a quantity such as/],
      ['spec.resources.limits.pids', /greater than or equal to 1|at least 1/],
    ],
  },
  {
    given: 'less than no processor',
    spec: { command, resources: { limits: { cpu: '-1', memory: '1' } } },
    causes: [
      ['spec.resources.limits.cpu', /at least 10m/],
      ['spec.resources.limits.memory', /no program starts with less/],
    ],
  },
  {
    given: 'a variable that is too long with its name',
    spec: { command, env: [{ name: 'A', value: LONG.slice(2) }] },
    causes: [['spec.env[0].value', /131071/]],
  },
  { given: 'a relative working directory', spec: { command, workingDir: 'srv' }, causes: [['spec.workingDir', /absolute path/]] },
  {
    given: 'the variable OPTIND',
    spec: { command, env: [{ name: 'OPTIND', value: '1' }] },
    causes: [['spec.env[0].name', /^Forbidden: the shell/]],
  },
  { given: 'OPTIND taken over', spec: { command, inheritEnv: ['TZ', 'OPTIND'] }, causes: [['spec.inheritEnv[1]', /^Forbidden/]] },
  {
    given: 'no name of a variable taken over',
    spec: { command, inheritEnv: ['A-B'] },
    causes: [['spec.inheritEnv[0]', /name of a variable/]],
  },
  {
    given: 'a variable from nowhere',
    spec: { command, env: [{ name: 'A', valueFrom: {} }] },
    causes: [['spec.env[0].valueFrom', /^Required value: exactly one of/]],
  },
  {
    given: 'a variable from two sources',
    spec: { command, env: [{ name: 'A', valueFrom: { fileRef: { path: '/a' }, secretKeyRef: { name: 's', key: 'k' } } }] },
    causes: [['spec.env[0].valueFrom.fileRef', /^Forbidden: secretKeyRef is set too/]],
  },
  {
    given: 'a variable with a value and a source',
    spec: { command, env: [{ name: 'A', value: '1', valueFrom: { fileRef: { path: '/a' } } }] },
    causes: [['spec.env[0].valueFrom', /^Forbidden: value is set too/]],
  },
  {
    given: 'a field that there is not',
    spec: { command, env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }] },
    causes: [['spec.env[0].valueFrom.fieldRef.fieldPath', /^Unsupported value: "status\.podIP": supported values: "metadata\.name"/]],
  },
  {
    given: 'a label as a field',
    spec: { command, env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } }] },
    causes: [],
  },
  {
    given: 'many variables from nowhere',
    spec: { command, envFrom: [{ prefix: 'A_' }] },
    causes: [['spec.envFrom[0]', /^Required value/]],
  },
  {
    given: 'a probe without a handler',
    spec: { command, readinessProbe: {} },
    causes: [['spec.readinessProbe', /exactly one of exec, httpGet, tcpSocket/]],
  },
  {
    given: 'a probe with two handlers',
    spec: { command, readinessProbe: { exec: { command }, tcpSocket: { port: 80 } } },
    causes: [['spec.readinessProbe.tcpSocket', /^Forbidden: exec is set too/]],
  },
  {
    given: 'a liveness probe that must succeed twice',
    spec: { command, livenessProbe: { exec: { command }, successThreshold: 2 } },
    causes: [['spec.livenessProbe.successThreshold', /must be 1/]],
  },
  {
    given: 'a readiness probe that must succeed twice',
    spec: { command, readinessProbe: { exec: { command }, successThreshold: 2 } },
    causes: [],
  },
  {
    given: 'a stop step that does nothing',
    spec: { command, stopSteps: [{ wait: '1s' }] },
    causes: [['spec.stopSteps[0]', /exactly one of signal, exec/]],
  },
  {
    given: 'a stop step that does two things',
    spec: { command, stopSteps: [{ signal: 'QUIT', exec: { command } }] },
    causes: [['spec.stopSteps[0].exec', /^Forbidden: signal is set too/]],
  },
  { given: 'an action that does nothing', spec: { command, actions: [{ name: 'a' }] }, causes: [['spec.actions[0]', /exactly one of/]] },
  {
    given: 'two actions of one name',
    spec: {
      command,
      actions: [
        { name: 'a', signal: 'HUP' },
        { name: 'a', signal: 'USR1' },
      ],
    },
    causes: [['spec.actions[1].name', /^Duplicate value: "a"$/]],
  },
  { given: 'a reload that does nothing', spec: { command, reload: {} }, causes: [['spec.reload', /exactly one of/]] },
  {
    given: 'itself as a dependency',
    spec: { command, dependsOn: [{ name: 'web' }] },
    causes: [['spec.dependsOn[0].name', /never wait for itself/]],
  },
  {
    given: 'a dependency named twice',
    spec: { command, dependsOn: [{ name: 'db' }, { name: 'db' }] },
    causes: [['spec.dependsOn[1].name', /^Duplicate value/]],
  },
  { given: 'no name of a dependency', spec: { command, dependsOn: [{ name: '../db' }] }, causes: [['spec.dependsOn[0].name', /RFC 1123/]] },
  {
    given: 'a level in the idle class',
    spec: { command, ioPriority: { class: 'Idle', level: 3 } },
    causes: [['spec.ioPriority.level', /no levels/]],
  },
  {
    given: 'a soft limit over the hard one',
    spec: { command, rlimits: { nofile: { soft: 'unlimited', hard: 9 } } },
    causes: [['spec.rlimits[nofile].soft', /hard, which is 9/]],
  },
  {
    given: 'a limit that says nothing',
    spec: { command, rlimits: { nofile: {} } },
    causes: [['spec.rlimits[nofile]', /soft, hard or both/]],
  },
  {
    given: 'limits of all forms',
    spec: { command, rlimits: { nofile: { soft: 1, hard: 'unlimited' }, core: 'unlimited', nproc: 5 } },
    causes: [],
  },
  { given: 'CPUs backwards', spec: { command, cpuAffinity: '0,3-1' }, causes: [['spec.cpuAffinity', /3-1 ends before it begins/]] },
  {
    given: 'exit codes that there are not',
    spec: { command, successExitCodes: [256, 'NOPE'] },
    causes: [
      ['spec.successExitCodes[0]', /0 to 255/],
      ['spec.successExitCodes[1]', /0 to 255/],
    ],
  },
  {
    given: 'a roll that never goes on',
    spec: { command, updateStrategy: { rollingUpdate: { maxUnavailable: 0 } } },
    causes: [['spec.updateStrategy.rollingUpdate.maxUnavailable', /at least 1/]],
  },
  {
    given: 'more than all',
    spec: { command, updateStrategy: { rollingUpdate: { maxUnavailable: '101%' } } },
    causes: [['spec.updateStrategy.rollingUpdate.maxUnavailable', /100%/]],
  },
  { given: 'an unknown signal', spec: { command, stopSignal: 'NOPE' }, causes: [['spec.stopSignal', /name of a signal/]] },
]

for (const { given, spec, causes } of rows) {
  test(`a Process with ${given} is ${causes.length === 0 ? 'accepted' : 'refused'}`, async () => {
    const { client } = await testRegistry()
    const object = { apiVersion: 'pmk.dev/v1', kind: 'Process', metadata: { name: 'web' }, spec } as const
    const result = await client
      .for('Process')
      .create(object as never)
      .catch((err: unknown) => err)
    const found = hasReason(result, 'Invalid') ? (result.status.details?.causes ?? []) : []
    if (result instanceof Error && found.length === 0) throw result
    assert.deepEqual(
      found.map(({ field }) => field),
      causes.map(([field]) => field),
    )
    for (const [index, [, message]] of causes.entries()) assert.match(found[index]?.message ?? '', message)
  })
}

async function specOf(spec: object): Promise<ProcessSpec> {
  const { client } = await testRegistry()
  const object = { apiVersion: 'pmk.dev/v1', kind: 'Process', metadata: { name: 'web' }, spec: { command, ...spec } } as const
  return (await client.for('Process').create(object as never)).spec
}

test('signals are stored without SIG, wherever they stand', async () => {
  const spec = await specOf({
    stopSignal: 'SIGQUIT',
    reload: { signal: 'sighup' },
    actions: [{ name: 'rotate', signal: 'SIGUSR1' }],
    stopSteps: [{ signal: 'SIGINT' }],
    successExitCodes: [0, 'SIGTERM'],
  })
  assert.equal(spec.stopSignal, 'QUIT')
  assert.equal(spec.reload?.signal, 'HUP')
  assert.equal(spec.actions?.[0]?.signal, 'USR1')
  assert.equal(spec.stopSteps?.[0]?.signal, 'INT')
  assert.deepEqual(spec.successExitCodes, [0, 'TERM'])
})

test('of several variables of one name the last one counts', async () => {
  const { env } = await specOf({
    env: [
      { name: 'A', value: '1' },
      { name: 'B', value: '2' },
      { name: 'A', value: '3' },
    ],
  })
  assert.deepEqual(env, [
    { name: 'B', value: '2' },
    { name: 'A', value: '3' },
  ])
})

test('a name of 64 characters is refused', async () => {
  const { client } = await testRegistry()
  const create = (name: string): Promise<unknown> =>
    client.for('Process').create({ apiVersion: 'pmk.dev/v1', kind: 'Process', metadata: { name }, spec: { command: ['true'] } })
  await create('x'.repeat(63))
  await assert.rejects(create('x'.repeat(64)), /metadata\.name: Invalid value: .*no more than 63/)
})

test('what was stored under older rules can still be labelled, and must be right when its spec changes', async () => {
  const { client, store } = await testRegistry()
  const { metadata, ...rest } = await client
    .for('Process')
    .create({ apiVersion: 'pmk.dev/v1', kind: 'Process', metadata: { name: 'web' }, spec: { command: ['true'] } })
  const { resourceVersion, ...stored } = metadata
  const old = { ...rest, metadata: stored, spec: { ...rest.spec, script: 'date' } }
  await store.put('/pmk.dev/processes/default/web', JSON.stringify(old), Number(resourceVersion))
  const processes = client.for('Process')
  const labelled = await processes.patch({ name: 'web' }, { type: 'merge', value: { metadata: { labels: { a: 'b' } } } })
  assert.equal(labelled.spec.script, 'date')
  await assert.rejects(processes.patch({ name: 'web' }, { type: 'merge', value: { spec: { replicas: 2 } } }), /command is set too/)
})
