import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { expand } from '../../../src/agent/expand.ts'
import type { EnvVar } from '../../../src/generated/types.ts'
import { AgentWorld } from '../../support/agent-world.ts'

describe('variables in words', () => {
  const env = { A: 'x', EMPTY: '', B_2: '$(A)' }
  const rows: readonly (readonly [string, string])[] = [
    ['$(A)', 'x'],
    ['a$(A)b$(A)', 'axbx'],
    ['$(EMPTY)', ''],
    ['$(UNKNOWN)', '$(UNKNOWN)'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$x'],
    ['$$', '$'],
    ['$A $ {A} $', '$A $ {A} $'],
    ['$(A', '$(A'],
    ['$(B_2)', '$(A)'],
    ['$(constructor)', '$(constructor)'],
  ]
  for (const [text, expected] of rows) test(`${text} is ${expected}`, () => assert.equal(expand(text, env), expected))
})

describe('what a program is launched with', () => {
  let world: AgentWorld

  beforeEach(async () => {
    world = await AgentWorld.open()
    await world.start()
  })
  afterEach(() => world.stop())

  const config = () => world.runtime.configOf('web-0') ?? assert.fail('nothing was started')
  const secret = (data: Readonly<Record<string, string>>): Promise<unknown> =>
    world.client.for('Secret').create({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'db' }, stringData: data })

  test('is a clean environment with names of its own', async () => {
    await world.create({ spec: { index: 3 } })
    const { PMK_RUN, ...env } = config().env
    assert.deepEqual(env, {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: '/root',
      USER: 'root',
      LOGNAME: 'root',
      SHELL: '/bin/sh',
      LANG: 'C.UTF-8',
      PMK_NAME: 'web',
      PMK_INSTANCE: 'web-0',
      PMK_INDEX: '3',
      PMK_NAMESPACE: 'default',
    })
    assert.equal(PMK_RUN, config().id)
    assert.equal(config().identity, undefined)
  })

  test('takes variables from everywhere, the later over the earlier and env over envFrom', async () => {
    await secret({ PASSWORD: 'hush', LEVEL: 'secret' })
    await world.client
      .for('ConfigMap')
      .create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'common' }, data: { LEVEL: 'map', ZONE: 'eu' } })
    world.runtime.setFile('/etc/default/web', 'LEVEL=file\nFROM_FILE=1\n')
    world.runtime.setFile('/etc/token', 'abc\n')
    world.runtime.onExec(({ env }) => ({ by: 'code', code: 0, output: `made of ${env.ZONE}\n` }))
    const env: readonly EnvVar[] = [
      { name: 'WORD', value: '$(LEVEL)/$(ZONE)' },
      { name: 'DB', valueFrom: { secretKeyRef: { name: 'db', key: 'PASSWORD', optional: false } } },
      { name: 'GONE', valueFrom: { secretKeyRef: { name: 'db', key: 'GONE', optional: true } } },
      { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
      { name: 'TOKEN', valueFrom: { fileRef: { path: '/etc/token', optional: false } } },
      { name: 'MADE', valueFrom: { exec: { command: ['make-it'] } } },
    ]
    await world.create({
      template: {
        command: ['serve', '--level=$(LEVEL)'],
        args: ['$(WORD)', '$$(WORD)'],
        env,
        envFrom: [
          { file: { path: '/etc/default/web', optional: false } },
          { file: { path: '/etc/default/missing-for-sure', optional: true } },
          { configMapRef: { name: 'common', optional: false } },
          { prefix: 'DB_', secretRef: { name: 'db', optional: false } },
        ],
      },
    })
    const got = config()
    assert.deepEqual(got.command, ['serve', '--level=map', 'map/eu', '$(WORD)'])
    const { LEVEL, ZONE, FROM_FILE, DB, DB_LEVEL, GONE, NODE, TOKEN, MADE } = got.env
    assert.deepEqual(
      { LEVEL, ZONE, FROM_FILE, DB, DB_LEVEL, GONE, NODE, TOKEN, MADE },
      {
        LEVEL: 'map',
        ZONE: 'eu',
        FROM_FILE: '1',
        DB: 'hush',
        DB_LEVEL: 'secret',
        GONE: undefined,
        NODE: 'here',
        TOKEN: 'abc',
        MADE: 'made of eu',
      },
    )
  })

  test('runs a script through its interpreter, unchanged', async () => {
    await world.create({ template: { script: 'echo $(date) $HOME', args: ['$(PMK_INDEX)'] } })
    assert.deepEqual(config().command, ['/bin/sh', '-ec', 'echo $(date) $HOME', '0'])
  })

  test('has the identity and the limits of the template', async () => {
    world.runtime.setUser({ uid: 33, gid: 33, supplementalGroups: [4], user: 'www', home: '/var/www', shell: '/bin/false' })
    await world.create({
      template: {
        securityContext: { runAsUser: 'www', umask: '0027', noNewPrivileges: true, privateTmp: false },
        rlimits: { nofile: { soft: 4096, hard: 8192 }, core: 'unlimited' },
        nice: 5,
        logs: { maxSize: '1Mi', maxFiles: 2, compress: false, mergeStderr: true },
      },
    })
    const { identity, umask, noNewPrivileges, rlimits, nice, logs, env } = config()
    assert.equal(identity?.uid, 33)
    assert.equal(env.HOME, '/var/www')
    assert.deepEqual([umask, noNewPrivileges, nice], ['0027', true, 5])
    assert.deepEqual(rlimits, { nofile: { soft: 4096, hard: 8192 }, core: { soft: 'unlimited', hard: 'unlimited' } })
    assert.deepEqual(logs, { maxSize: 1_048_576, maxFiles: 2, compress: false, mergeStderr: true })
  })

  const broken: readonly (readonly [string, Parameters<AgentWorld['create']>[0], RegExp])[] = [
    ['a Secret is missing', { template: { envFrom: [{ secretRef: { name: 'nope', optional: false } }] } }, /^Secret nope does not exist/],
    [
      'a key is missing',
      { template: { env: [{ name: 'X', valueFrom: { secretKeyRef: { name: 'db', key: 'nope', optional: false } } }] } },
      /^Secret db has no key "nope", which variable X needs$/,
    ],
    [
      'an environment file is missing',
      { template: { envFrom: [{ file: { path: '/nope/at/all', optional: false } }] } },
      /^Environment file \/nope\/at\/all does not exist$/,
    ],
    [
      'an environment file is damaged',
      { template: { envFrom: [{ file: { path: '/etc/broken', optional: false } }] } },
      /^Environment file \/etc\/broken:2: expected NAME=value$/,
    ],
    [
      'the user is missing',
      { template: { securityContext: { runAsUser: 'nobody-here', umask: '0022', noNewPrivileges: false, privateTmp: false } } },
      /nobody-here/,
    ],
    [
      'a command for a variable fails',
      { template: { env: [{ name: 'X', valueFrom: { exec: { command: ['false'] } } }] } },
      /^Command false, whose output is the value of a variable, exited with code 1$/,
    ],
  ]
  for (const [given, options, message] of broken) {
    test(`is refused with a clear message when ${given}`, async () => {
      await secret({ PASSWORD: 'hush' })
      world.runtime.setFile('/etc/broken', 'A=1\n%%%=hush\n')
      world.runtime.onExec(() => ({ by: 'code', code: 1, output: 'hush' }))
      await world.create(options)
      const { status } = await world.get()
      assert.equal(status?.reason, 'StartError')
      assert.match(status?.message ?? '', message)
      assert.equal(JSON.stringify(status).includes('hush'), false)
      assert.deepEqual(world.runtime.started, [])
    })
  }

  test('is what its probes and hooks run in, without being read again for each', async () => {
    world.runtime.setFile('/etc/default/web', 'A=1\n')
    const exec = { command: ['probe-it'] as const }
    await world.create({
      template: {
        envFrom: [{ file: { path: '/etc/default/web', optional: false } }],
        lifecycle: { postStart: [{ exec: { command: ['warm-up'] }, timeout: '5s' }] },
        livenessProbe: { exec, initialDelaySeconds: 0, periodSeconds: 1, timeoutSeconds: 1, successThreshold: 1, failureThreshold: 3 },
      },
    })
    world.runtime.setFile('/etc/default/web', 'A=2\n')
    await world.advance(3_000)
    const execs = world.runtime.execs.map(({ command, env }) => `${command[0]} ${env.A} ${env.PMK_RUN === config().id}`)
    assert.deepEqual([...new Set(execs)].sort(), ['probe-it 1 true', 'warm-up 1 true'])
    assert.ok(execs.length >= 4, `${execs.length} commands`)
    world.runtime.exit('web-0', { code: 1 })
    await world.settle()
    assert.equal(config().env.A, '2')
  })

  test('is read again by a restart that is asked for, and not by one after a death', async () => {
    await secret({ PASSWORD: 'old' })
    await world.create({
      template: { env: [{ name: 'P', valueFrom: { secretKeyRef: { name: 'db', key: 'PASSWORD', optional: false } } }] },
    })
    await world.client.for('Secret').patch({ name: 'db' }, { type: 'merge', value: { stringData: { PASSWORD: 'new' } } })
    world.runtime.exit('web-0', { code: 1 })
    await world.settle()
    assert.equal(config().env.P, 'old')
    await world.patch({ spec: { restartedAt: '2026-01-01T00:00:00Z' } })
    assert.equal(config().env.P, 'new')
  })
})
