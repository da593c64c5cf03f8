import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { changedFields, launchFieldsOf, launchTextOf, liveFieldsOf } from '../../../src/api/launch-fields.ts'
import { definitionOf } from '../../../src/api/scheme.ts'
import { decodeObject } from '../../../src/api/validate.ts'

const decoded = (spec: object): object =>
  decodeObject(
    definitionOf('Process'),
    { apiVersion: 'pmk.dev/v1', kind: 'Process', metadata: { name: 'a' }, spec },
    { fieldValidation: 'Strict' },
  ).object.spec as object

describe('launchTextOf', () => {
  // These texts are hashed into the names of revisions that are stored: a change here restarts every program on an upgrade.
  const golden: [string, object, string][] = [
    ['a command', { command: ['sleep', '1'] }, '{"command":["sleep","1"]}'],
    [
      'defaults that are spelt out',
      { command: ['a'], workingDir: '/', interpreter: ['/bin/sh', '-ec'], securityContext: { umask: '0022', noNewPrivileges: false } },
      '{"command":["a"]}',
    ],
    ['what is empty', { command: ['a'], args: [], env: [], rlimits: {}, stdin: {} }, '{"command":["a"]}'],
    ['an empty list where none means a default', { command: ['a'], searchPath: [] }, '{"command":["a"],"searchPath":[]}'],
    [
      'fields in any order',
      { script: 'echo', rlimits: { nofile: { hard: 2, soft: 1 }, core: 0 }, env: [{ value: 'b', name: 'A' }] },
      '{"env":[{"name":"A","value":"b"}],"rlimits":{"core":0,"nofile":{"hard":2,"soft":1}},"script":"echo"}',
    ],
    [
      'defaults inside items',
      { command: ['a'], env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 's', key: 'k', optional: false } } }] },
      '{"command":["a"],"env":[{"name":"A","valueFrom":{"secretKeyRef":{"key":"k","name":"s"}}}]}',
    ],
    [
      'a launch field inside live ones',
      { command: ['a'], logs: { mergeStderr: false, maxFiles: 9 } },
      '{"command":["a"],"logs":{"mergeStderr":false}}',
    ],
    [
      'live fields only',
      { command: ['a'], replicas: 5, logs: { compress: false }, livenessProbe: { tcpSocket: { port: 1 } } },
      '{"command":["a"]}',
    ],
    [
      'everything else of a launch',
      {
        command: ['a'],
        inheritEnv: ['TERM'],
        envFrom: [{ prefix: 'X_', configMapRef: { name: 'c', optional: false } }],
        forking: { pidFile: '/run/a.pid' },
        securityContext: { runAsUser: 'www', umask: '0077', supplementalGroups: [5, 'x'] },
        nice: 0,
        ioPriority: { class: 'Idle' },
        oomScoreAdj: 0,
        cpuAffinity: '0-3',
      },
      '{"command":["a"],"cpuAffinity":"0-3","envFrom":[{"configMapRef":{"name":"c"},"prefix":"X_"}],"forking":{"pidFile":"/run/a.pid"},"inheritEnv":["TERM"],"ioPriority":{"class":"Idle"},"nice":0,"oomScoreAdj":0,"securityContext":{"runAsUser":"www","supplementalGroups":[5,"x"],"umask":"0077"}}',
    ],
  ]
  for (const [title, spec, text] of golden) {
    it(`gives the same for ${title} before and after defaulting`, () => {
      assert.equal(launchTextOf(spec), text)
      assert.equal(launchTextOf(decoded(spec)), text)
    })
  }
})

describe('launchFieldsOf and liveFieldsOf', () => {
  it('together are the whole spec, and share nothing', () => {
    const spec = decoded({ command: ['a'], nice: 5, logs: { mergeStderr: false } }) as { logs: object }
    const launch = launchFieldsOf(spec) as { logs: object }
    const live = liveFieldsOf(spec) as { logs: object }
    assert.deepEqual(launch.logs, { mergeStderr: false })
    assert.deepEqual({ ...launch, ...live, logs: { ...launch.logs, ...live.logs } }, spec)
    assert.deepEqual(
      Object.keys(launch).filter((key) => key in live),
      ['logs'],
    )
    assert.equal('mergeStderr' in live.logs, false)
  })

  it('keep defaults unless told otherwise', () => {
    const spec = decoded({ command: ['a'] })
    assert.equal(launchFieldsOf(spec).workingDir, '/')
    assert.deepEqual(Object.keys(launchFieldsOf(spec, { withoutDefaults: true })), ['command'])
    assert.deepEqual(liveFieldsOf(spec, { withoutDefaults: true }), {})
  })
})

describe('changedFields', () => {
  const table: [object, object, ...[string, boolean][]][] = [
    [{ command: ['a'] }, { command: ['a'], workingDir: '/', replicas: 1, logs: {} }],
    [{ command: ['a'] }, { command: ['b'] }, ['spec.command', true]],
    [{ command: ['a'] }, { script: 'b' }, ['spec.command', true], ['spec.script', true]],
    [{ replicas: 1 }, { replicas: 2 }, ['spec.replicas', false]],
    [
      { logs: { maxFiles: 2, mergeStderr: false } },
      { logs: { maxFiles: 3 } },
      ['spec.logs.maxFiles', false],
      ['spec.logs.mergeStderr', true],
    ],
    [{}, { logs: { maxFiles: 3, mergeStderr: false } }, ['spec.logs.maxFiles', false], ['spec.logs.mergeStderr', true]],
    [{}, { livenessProbe: { tcpSocket: { port: 1 } } }, ['spec.livenessProbe', false]],
    [{ livenessProbe: { tcpSocket: { port: 1 } } }, {}, ['spec.livenessProbe', false]],
    [{ securityContext: { runAsUser: 'a' } }, {}, ['spec.securityContext', true]],
    [{ logs: { maxFiles: 3, mergeStderr: false } }, {}, ['spec.logs.maxFiles', false], ['spec.logs.mergeStderr', true]],
    [
      { livenessProbe: { tcpSocket: { port: 1 } } },
      { livenessProbe: { tcpSocket: { port: 2 }, periodSeconds: 5 } },
      ['spec.livenessProbe.tcpSocket.port', false],
      ['spec.livenessProbe.periodSeconds', false],
    ],
    [
      {
        env: [
          { name: 'A', value: '1' },
          { name: 'B', value: '2' },
        ],
      },
      {
        env: [
          { name: 'A', value: '9' },
          { name: 'C', value: '2' },
        ],
      },
      ['spec.env[A].value', true],
      ['spec.env[B]', true],
      ['spec.env[C]', true],
    ],
    [{ env: [{ name: 'A' }, { name: 'B' }] }, { env: [{ name: 'B' }, { name: 'A' }] }, ['spec.env', true]],
    [{ securityContext: { runAsUser: 'a' } }, { securityContext: { runAsUser: 'b' } }, ['spec.securityContext.runAsUser', true]],
    [{ rlimits: { core: 0 } }, { rlimits: { core: 1 } }, ['spec.rlimits', true]],
    [{}, { resources: { limits: { memory: '1Gi' } } }, ['spec.resources', false]],
    [
      { resources: { limits: { memory: '1Gi', cpu: '1' } } },
      { resources: { limits: { memory: '2Gi', cpu: '1' } } },
      ['spec.resources.limits.memory', false],
    ],
  ]
  for (const [before, after, ...expected] of table) {
    it(`finds what ${JSON.stringify(before)} and ${JSON.stringify(after)} differ in`, () => {
      const changes = expected.map(([path, restart]) => ({ path, restart }))
      assert.deepEqual(changedFields(before, after), changes)
      assert.deepEqual(changedFields(decoded(before), decoded(after)), changes)
    })
  }
})
