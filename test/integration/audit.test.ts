import assert from 'node:assert/strict'
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, afterEach, before, describe, test } from 'node:test'
import { hashOfToken } from '../../src/api/token-text.ts'
import { AuditLog } from '../../src/app/audit-log.ts'
import { systemClock } from '../../src/base/clock.ts'
import type { Logger } from '../../src/base/log.ts'
import { silentLogger } from '../../src/base/log.ts'
import { PROCESSES, processNamed, TestApiServer } from '../support/api-server.ts'
import { eventually } from '../support/eventually.ts'
import { noSmallDisk, SmallDisk } from '../support/small-disk.ts'
import { tempDir } from '../support/temp-dir.ts'

// biome-ignore lint/suspicious/noExplicitAny: lines of every shape.
type Line = any

describe('each write of a client is one line', () => {
  let server: TestApiServer
  let text = ''
  const lines = (): readonly Line[] =>
    text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
  const last = (): Line => lines().at(-1)
  before(async () => {
    server = await TestApiServer.start({ audit: { write: (line) => (text += line) } })
  })
  after(() => server.stop())
  afterEach(() => {
    text = ''
  })

  test('which says who did what to which object, when, from where, and what came of it', async () => {
    const answer = await server.send('POST', PROCESSES, processNamed('web'))
    assert.equal(answer.status, 201)
    assert.equal(lines().length, 1)
    const { time, id, durationMs, user, groups, ...rest } = last()
    assert.equal(answer.headers['audit-id'], id)
    assert.match(id, /^[0-9a-f-]{36}$/)
    assert.ok(Math.abs(Date.parse(time) - Date.now()) < 10_000 && durationMs >= 0 && durationMs < 10_000)
    assert.equal(typeof user, 'string')
    assert.ok(groups.includes('system:masters'))
    const about = { group: 'pmk.dev', resource: 'processes', namespace: 'default', name: 'web' }
    assert.deepEqual(rest, { verb: 'create', ...about, source: 'unix', code: 201 })
    await server.raw('DELETE', `${PROCESSES}/web?dryRun=All`, { headers: { 'user-agent': 'tool/1.0' } })
    const { verb, name, dryRun, code, userAgent } = last()
    assert.deepEqual([verb, name, dryRun, code, userAgent], ['delete', 'web', true, 200, 'tool/1.0'])
  })

  test('also when the name is made up by the server, when dry run is asked for in the body, and when it was a status', async () => {
    const { json } = await server.send('POST', PROCESSES, processNamed('', { metadata: { generateName: 'gen-' } }))
    assert.equal(last().name, json.metadata.name)
    assert.match(last().name, /^gen-/)
    await server.send('DELETE', `${PROCESSES}/${json.metadata.name}`, { kind: 'DeleteOptions', apiVersion: 'v1', dryRun: ['All'] })
    assert.equal(last().dryRun, true)
    await server.send('PATCH', `${PROCESSES}/${json.metadata.name}/status`, {}, 'application/merge-patch+json')
    assert.deepEqual([last().verb, last().subresource, last().dryRun], ['patch', 'status', undefined])
    await server.raw('DELETE', `${PROCESSES}?labelSelector=a%3Dsecret`)
    assert.equal(last().verb, 'deletecollection')
    assert.doesNotMatch(text, /secret/)
  })

  const refusals: readonly [what: string, code: number, reason: string, send: () => Promise<unknown>][] = [
    ['an object that is invalid', 422, 'Invalid', () => server.send('POST', PROCESSES, processNamed('bad', { spec: { command: [] } }))],
    ['an object that is not there', 404, 'NotFound', () => server.raw('DELETE', `${PROCESSES}/nobody`)],
    ['a body that is none', 400, 'BadRequest', () => server.send('POST', PROCESSES, '{"password": hunter2')],
    ['a body that is too large', 413, 'RequestEntityTooLarge', () => server.send('POST', PROCESSES, `"hunter2${'x'.repeat(4_000_000)}"`)],
    ['a path that is none', 404, 'NotFound', () => server.raw('POST', '/nowhere?password=hunter2')],
    ['a method that a path has not', 405, 'MethodNotAllowed', () => server.raw('PUT', `${PROCESSES}?password=hunter2`)],
  ]
  for (const [what, code, reason, send] of refusals) {
    test(`which tells of ${what} that it was refused with ${code} ${reason}, and nothing of the request that was`, async () => {
      await send()
      assert.equal(lines().length, 1)
      assert.deepEqual([last().code, last().reason], [code, reason])
      assert.doesNotMatch(text, /hunter2/)
    })
  }

  test('which names both who acts and for whom, and who was not allowed to', async () => {
    const as = (user: string, method: string, path: string, extra: object = {}) =>
      server.raw(method, path, {
        headers: { 'content-type': 'application/json', 'impersonate-user': user, ...extra },
        body: method === 'DELETE' ? '' : JSON.stringify(processNamed('acted')),
      })
    await as('bob', 'POST', PROCESSES, { 'impersonate-group': 'system:masters' })
    assert.deepEqual([last().user, last().code], ['bob', 201])
    assert.notEqual(last().impersonatedBy, 'bob')
    assert.equal(typeof last().impersonatedBy, 'string')
    await as('eve', 'DELETE', `${PROCESSES}/acted`)
    assert.deepEqual([last().code, last().reason, last().name], [403, 'Forbidden', 'acted'])
    assert.equal(last().wantsToBe, 'eve')
  })

  test('but none is written of reads, and of questions that are put as writes', async () => {
    await server.raw('GET', PROCESSES)
    await server.raw('HEAD', PROCESSES)
    const answer = await server.send('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {})
    assert.equal(answer.headers['audit-id'], undefined)
    assert.equal(text, '')
  })

  test('without tokens, wherever somebody put one', async () => {
    const secret = '0123456789abcdef'.repeat(4)
    const token = `pmk_ci_${secret}`
    const spec = { user: 'anna', hash: hashOfToken(token) }
    const headers = { authorization: `Bearer ${token}`, 'user-agent': token, 'content-type': 'application/json' }
    const body = (name: string, extra: object = {}) =>
      JSON.stringify({ apiVersion: 'pmk.dev/v1', kind: 'Token', metadata: { name }, spec: { ...spec, ...extra } })
    await server.raw('POST', `/apis/pmk.dev/v1/tokens?token=${token}`, { headers, body: body('ci') })
    await server.raw('POST', '/apis/pmk.dev/v1/tokens', { headers, body: body(token) })
    await server.raw('POST', '/apis/pmk.dev/v1/tokens', { headers, body: body('x', { hash: token }) })
    await server.raw('DELETE', `/apis/pmk.dev/v1/tokens/${token}`, { headers })
    await server.raw('DELETE', `/${token}`, { headers })
    await server.raw('DELETE', '/apis/pmk.dev/v1/tokens/ci', { headers })
    assert.equal(lines().length, 6)
    assert.ok(!text.includes(secret) && !text.includes(spec.hash), text)
    assert.equal(lines()[3].name, 'pmk_ci_…')
  })

  test('and what a client makes up is cut', async () => {
    await server.raw('DELETE', `/apis/pmk.dev/v1/tokens/${'a'.repeat(900)}`, { headers: { 'user-agent': 'u'.repeat(9_000) } })
    assert.ok(text.length < 1_200, String(text.length))
  })
})

test('a flood of writes by nobody known is counted, and pushes nothing else out', async () => {
  let text = ''
  const server = await TestApiServer.start({ audit: { write: (line) => (text += line) }, limits: { requests: 0 } })
  await Promise.all(Array.from({ length: 100 }, () => server.raw('DELETE', `${PROCESSES}/web`)))
  await server.stop()
  const lines: readonly Line[] = text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
  const omitted = lines.reduce((sum, line) => sum + (line.omitted ?? 0), 0)
  const told = lines.filter(({ code }) => code === 429)
  assert.equal(omitted + told.length, 100)
  // More than one second may have passed.
  assert.ok(told.length < 100 && omitted > 0, `${told.length} told`)
})

describe('the file of the audit log', () => {
  const line = (n: number): string => `${JSON.stringify({ n, pad: 'x'.repeat(80) })}\n`
  const numbers = (text: string): readonly number[] =>
    text
      .split('\n')
      .filter(Boolean)
      .map((each) => JSON.parse(each).n)

  test('is for its owner only, loses nothing and is put aside when it is full', async () => {
    const dir = await tempDir()
    try {
      const file = join(dir.path, 'audit.log')
      const log = new AuditLog({ file, size: 40_000, clock: systemClock, log: silentLogger })
      for (let n = 0; n < 600; n++) {
        log.write(line(n))
        if (n % 50 === 49) await eventually(async () => assert.match(await readFile(file, 'utf8'), new RegExp(`"n":${n},`), 'written'))
      }
      await log.close()
      const names = ['audit.log.3', 'audit.log.2', 'audit.log.1', 'audit.log']
      const texts = await Promise.all(names.map((name) => readFile(join(dir.path, name), 'utf8')))
      for (const [at, name] of names.entries()) {
        assert.equal((await stat(join(dir.path, name))).mode & 0o777, 0o600, name)
        assert.ok(Buffer.byteLength(texts[at] ?? '') <= 10_000, name)
      }
      const kept = texts.flatMap(numbers)
      assert.equal(kept.at(-1), 599)
      assert.deepEqual(
        kept,
        Array.from({ length: kept.length }, (_, at) => 600 - kept.length + at),
        'the newest, in order, without a gap',
      )
      assert.ok(kept.length > 200)
      const next = new AuditLog({ file, size: 40_000, clock: systemClock, log: silentLogger })
      next.write(line(600))
      await next.close()
      assert.equal(numbers(await readFile(file, 'utf8')).at(-1), 600, 'the next server goes on in the same file')
    } finally {
      await dir.remove()
    }
  })

  test('goes on in a line of its own behind half a line', async () => {
    const dir = await tempDir()
    try {
      const file = join(dir.path, 'audit.log')
      await writeFile(file, `${line(1)}{"n":2,"p`)
      const log = new AuditLog({ file, size: 1_000_000, clock: systemClock, log: silentLogger })
      log.write(line(3))
      await log.close()
      assert.equal(await readFile(file, 'utf8'), `${line(1)}{"n":2,"p\n${line(3)}`)
    } finally {
      await dir.remove()
    }
  })

  test('that can not be written keeps nobody waiting, is told of once, and catches up; what was too much is counted', async () => {
    const dir = await tempDir()
    const told: string[] = []
    const tell = (_: object, message: string): void => void told.push(message)
    const logger: Logger = { ...silentLogger, warn: tell, info: tell }
    try {
      const place = join(dir.path, 'place')
      const file = join(place, 'audit.log')
      const log = new AuditLog({ file, size: 10_000_000, clock: systemClock, log: logger })
      log.write(line(0))
      await eventually(() => assert.deepEqual(told, ['The audit log cannot be written']))
      for (let n = 1; n < 4_000; n++) log.write(line(n))
      await mkdir(place)
      await eventually(() => assert.deepEqual(told, ['The audit log cannot be written', 'The audit log is written again']))
      await log.close()
      const lines: readonly Line[] = (await readFile(file, 'utf8'))
        .split('\n')
        .filter(Boolean)
        .map((text) => JSON.parse(text))
      const omitted = lines.find((each) => each.omitted !== undefined)
      assert.equal(lines.length - 1 + omitted.omitted, 4_000)
      assert.ok(lines.length > 2_000)
    } finally {
      await dir.remove()
    }
  })

  test('on a full disk breaks no line, and goes on where it was', { skip: noSmallDisk, timeout: 60_000 }, async () => {
    const disk = new SmallDisk()
    const told: string[] = []
    const tell = (_: object, message: string): void => void told.push(message)
    try {
      const file = join(disk.path, 'audit.log')
      const log = new AuditLog({ file, size: 10_000_000, clock: systemClock, log: { ...silentLogger, warn: tell, info: tell } })
      log.write(line(0))
      await eventually(async () => assert.deepEqual(numbers(await readFile(file, 'utf8')), [0]))
      disk.fill()
      for (let n = 1; n < 500; n++) log.write(line(n))
      await eventually(() => assert.deepEqual(told, ['The audit log cannot be written']))
      disk.free()
      await eventually(() => assert.deepEqual(told, ['The audit log cannot be written', 'The audit log is written again']))
      await log.close()
      assert.deepEqual(
        numbers(await readFile(file, 'utf8')),
        Array.from({ length: 500 }, (_, n) => n),
      )
    } finally {
      disk.remove()
    }
  })
})
