import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { Server } from '../support/pmk.ts'

const good = `apiVersion: pmk.dev/v1
kind: Process
metadata:
  name: good
spec:
  command: [sleep, "1000000"]
`
const named = (name: string, spec: string): string => `apiVersion: pmk.dev/v1
kind: Process
metadata:
  name: ${name}
spec:
${spec}
`

/** What is refused at apply: the file's text, and what the message must say. */
const refused: readonly { readonly given: string; readonly text: string; readonly says: readonly RegExp[] }[] = [
  {
    given: 'a wrong type',
    text: named('bad', '  command: [sleep, "1"]\n  replicas: many'),
    says: [/bad\.yaml:7/, /spec\.replicas/, /integer/],
  },
  {
    given: 'an unknown field',
    text: named('bad', '  command: [sleep, "1"]\n  replica: 2'),
    says: [/bad\.yaml:7/, /unknown field "spec\.replica"/, /replicas/],
  },
  { given: 'no command', text: named('bad', '  replicas: 2'), says: [/bad\.yaml/, /spec\.command/, /[Rr]equired/] },
  { given: 'a YAML syntax error', text: 'apiVersion: pmk.dev/v1\nkind: Process\nmetadata: {name: bad\nspec: 1\n', says: [/bad\.yaml:\d+/] },
  { given: 'a good document and a bad one', text: `${good}---\n${named('bad', '  command: 7')}`, says: [/bad\.yaml:\d+/, /spec\.command/] },
  { given: 'a name that climbs', text: named('"../../etc/passwd"', '  command: [sleep, "1"]'), says: [/bad\.yaml:4/, /metadata\.name/] },
  { given: 'an unknown kind', text: 'apiVersion: pmk.dev/v1\nkind: Proces\nmetadata: {name: bad}\n', says: [/bad\.yaml:2/, /Proces/] },
  {
    given: 'a signal that is none',
    text: named('bad', '  command: [sleep, "1"]\n  stopSignal: TREM'),
    says: [/bad\.yaml:7/, /spec\.stopSignal/],
  },
  {
    given: 'a duration that is none',
    text: named('bad', '  command: [sleep, "1"]\n  startDelay: soon'),
    says: [/bad\.yaml:7/, /spec\.startDelay/],
  },
  {
    given: '4 MiB',
    text: named('bad', `  command: [sleep, "1"]\n  description: ${'x'.repeat(4 * 1024 * 1024)}`),
    says: [/bad\.yaml/, /3Mi/],
  },
]

test('bad input gets a clear message, and nothing of it is applied', { timeout: 180_000 }, async (t) => {
  const server = await Server.start()
  const dir = mkdtempSync(join(tmpdir(), 'pmk-bad-'))
  t.after(async () => {
    rmSync(dir, { recursive: true, force: true })
    await server.close()
  })
  const file = join(dir, 'bad.yaml')

  for (const { given, text, says } of refused) {
    await t.test(given, async () => {
      writeFileSync(file, text)
      const answer = await server.pmk('apply', '-f', file)
      assert.equal(answer.code, 1, answer.stdout)
      for (const pattern of says) assert.match(answer.stderr, pattern)
      assert.doesNotMatch(answer.stderr, /at .*\.(js|ts):\d+/, 'no stack trace')
      assert.equal((await server.client.for('Process').list()).items.length, 0)
    })
  }

  await t.test('a directory with one broken file applies none of it', async () => {
    const many = join(dir, 'many')
    mkdirSync(many)
    writeFileSync(join(many, 'a.yaml'), good)
    writeFileSync(join(many, 'b.yaml'), named('bad', '  command: []'))
    const answer = await server.pmk('apply', '-f', many)
    assert.equal(answer.code, 1)
    assert.match(answer.stderr, /b\.yaml/)
    assert.equal((await server.client.for('Process').list()).items.length, 0)
  })

  /** What is stored and can't be started: the reason and message of the Instance. */
  const failing: readonly { readonly given: string; readonly spec: string; readonly says: readonly RegExp[] }[] = [
    {
      given: 'a command that is not found',
      spec: '  command: [no-such-program]',
      says: [/no-such-program/, /\/usr\/local\/bin/, /\/usr\/bin/],
    },
    {
      given: 'a user that is not there',
      spec: '  command: [sleep, "1"]\n  securityContext: {runAsUser: nobody-knows-him}',
      says: [/nobody-knows-him/],
    },
    {
      given: 'a working directory that is missing',
      spec: '  command: [sleep, "1"]\n  workingDir: /no/such/dir',
      says: [/\/no\/such\/dir/],
    },
    {
      given: 'an env file that is missing',
      spec: '  command: [sleep, "1"]\n  envFrom: [{file: {path: /no/such/file}}]',
      says: [/\/no\/such\/file/],
    },
    { given: 'an env file that is a directory', spec: '  command: [sleep, "1"]\n  envFrom: [{file: {path: /etc}}]', says: [/\/etc/] },
    {
      given: 'a Secret that is missing',
      spec: '  command: [sleep, "1"]\n  envFrom: [{secretRef: {name: no-such-secret}}]',
      says: [/no-such-secret/],
    },
  ]
  for (const [index, { given, spec, says }] of failing.entries()) {
    await t.test(given, async () => {
      const name = `failing-${index}`
      await server.apply(named(name, spec))
      await eventually(async () => {
        const { status } = await server.client.for('Instance').get({ namespace: 'default', name: `${name}-0` })
        assert.equal(status?.reason, 'StartError')
        for (const pattern of says) assert.match(status?.message ?? '', pattern)
      })
      const why = await server.ok('why', name)
      for (const pattern of says) assert.match(why, pattern)
    })
  }
})
