import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { createLogger } from '../../../src/base/log.ts'
import { requestClient } from '../../../src/pki/certificates.ts'
import { isSignedBy, parsePair } from '../../../src/pki/pair.ts'
import { openPki, type Pki } from '../../../src/pki/pki.ts'
import { pkiDirAt } from '../../../src/pki/pki-dir.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { tempDir } from '../../support/temp-dir.ts'

const DAY = 86_400_000
const YEAR = 365 * DAY

describe('the keys and certificates of a server', () => {
  let clock: FakeClock
  let dir: Awaited<ReturnType<typeof tempDir>>
  let names: string[]
  let told: string[]

  beforeEach(async () => {
    clock = new FakeClock()
    dir = await tempDir()
    names = ['127.0.0.1', '::1', 'localhost']
    told = []
  })
  afterEach(() => dir.remove())

  const place = () => pkiDirAt(`${dir.path}/pki`)
  const open = (): Promise<Pki> => {
    const log = createLogger({ level: 'debug', write: (line) => told.push(line) })
    return openPki({ dir: place(), clock, log, names: () => names })
  }
  const text = (name: string): string => readFileSync(place().file(name), 'utf8')
  const all = (): readonly string[] => ['server-ca', 'server', 'client-ca', 'admin'].map(text)

  test('are made once, for their user alone, and read again', async () => {
    const first = await open()
    assert.deepEqual(readdirSync(place().path).sort(), ['admin.pem', 'client-ca.pem', 'server-ca.pem', 'server.pem'])
    assert.equal(statSync(place().path).mode & 0o777, 0o700)
    for (const name of readdirSync(place().path)) assert.equal(statSync(`${place().path}/${name}`).mode & 0o777, 0o600, name)
    const before = all()
    const second = await open()
    assert.deepEqual(all(), before)
    assert.deepEqual(second.server, first.server)
    assert.ok(isSignedBy(first.server.certificate, first.serverAuthority))
    assert.ok(isSignedBy(first.admin.certificate, first.clientAuthority))
    assert.ok(!isSignedBy(first.admin.certificate, first.serverAuthority))
    const server = new X509Certificate(first.server.certificate)
    assert.equal(server.subjectAltName, 'IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, DNS:localhost')
    assert.deepEqual(server.keyUsage, ['1.3.6.1.5.5.7.3.1'])
    assert.equal(new X509Certificate(first.admin.certificate).subject, 'CN=admin\nO=system:masters')
    assert.deepEqual(told, [])
  })

  test('are renewed when two thirds of their life are over, while the server runs', async () => {
    const pki = await open()
    const { server, admin, serverAuthority } = pki
    await clock.advance(YEAR * 0.66)
    assert.equal(await pki.refresh(), false)
    await clock.advance(YEAR * 0.01)
    assert.equal(await pki.refresh(), true)
    assert.notDeepEqual(pki.server, server)
    assert.notDeepEqual(pki.admin, admin)
    assert.equal(pki.serverAuthority, serverAuthority)
    assert.ok(isSignedBy(pki.server.certificate, serverAuthority))
    assert.deepEqual(parsePair(text('server')), { certificate: pki.server.certificate, key: pki.server.key })
    assert.equal(await pki.refresh(), false)
  })

  test('an authority that is renewed keeps its key, so that what it signed stays good', async () => {
    const pki = await open()
    const { clientAuthority, admin } = pki
    await clock.advance(7 * YEAR)
    assert.equal(await pki.refresh(), true)
    assert.notEqual(pki.clientAuthority, clientAuthority)
    assert.ok(isSignedBy(admin.certificate, pki.clientAuthority))
    assert.ok(isSignedBy(pki.admin.certificate, clientAuthority))
  })

  test('expired and not yet valid ones are made anew at the start', async () => {
    const before = await open()
    clock.jump(2 * YEAR)
    const later = await open()
    assert.notDeepEqual(later.server, before.server)
    assert.equal(later.serverAuthority, before.serverAuthority)
    // A clock that was wrong when they were made, and is set right.
    clock.jump(-5 * YEAR)
    const earlier = await open()
    assert.notDeepEqual(earlier.server, later.server)
    assert.ok(Date.parse(new X509Certificate(earlier.serverAuthority).validFrom) <= Date.parse(clock.now()))
    assert.ok(isSignedBy(before.admin.certificate, earlier.clientAuthority))
  })

  test('the server gets a certificate for new names, and for fewer', async () => {
    const pki = await open()
    const { server, admin } = pki
    names.push('pmk.example', '10.1.2.3')
    assert.equal(await pki.refresh(), true)
    assert.match(String(new X509Certificate(pki.server.certificate).subjectAltName), /DNS:pmk\.example, IP Address:10\.1\.2\.3/)
    assert.deepEqual(pki.names, names)
    assert.deepEqual(pki.admin, admin)
    names.splice(3)
    const again = await open()
    assert.equal(new X509Certificate(again.server.certificate).subjectAltName, new X509Certificate(server.certificate).subjectAltName)
  })

  test('a damaged certificate of the server is made anew, and told', async () => {
    const key = (await open()).admin.key
    for (const damaged of [
      '',
      'nonsense',
      text('server').slice(0, 500),
      text('server').replace(/[A-Za-z]{20}/, 'A'.repeat(20)),
      `${text('server-ca')}`.replace(/-----BEGIN PRIVATE[\s\S]*/, key),
    ]) {
      told = []
      writeFileSync(place().file('server'), damaged)
      const pki = await open()
      assert.ok(isSignedBy(pki.server.certificate, pki.serverAuthority))
      assert.match(told.join(''), /is damaged and is made anew/)
      assert.ok(!told.join('').includes('PRIVATE'))
      parsePair(text('server'))
    }
  })

  test('a damaged authority is an error that says the way out, and is not replaced', async () => {
    await open()
    const whole = text('client-ca')
    for (const damaged of ['', whole.slice(0, 300), text('admin')]) {
      writeFileSync(place().file('client-ca'), damaged)
      await assert.rejects(open(), /client-ca\.pem can't be used: it.*Put it back from a copy; or remove it/)
      assert.equal(text('client-ca'), damaged)
    }
    writeFileSync(place().file('client-ca'), whole)
    await open()
  })

  test('an authority that was removed is made anew with all that it signed, and told', async () => {
    const before = await open()
    rmSync(place().file('client-ca'))
    const pki = await open()
    assert.match(told.join(''), /authority is gone and is made anew: kubeconfigs made so far are of no use/)
    assert.ok(isSignedBy(pki.admin.certificate, pki.clientAuthority))
    assert.ok(!isSignedBy(before.admin.certificate, pki.clientAuthority))
    assert.deepEqual(pki.server, before.server)
  })

  test('a key that others could read is closed, and told; a left-over of a writer that died does not matter', async () => {
    await open()
    chmodSync(place().file('server-ca'), 0o644)
    writeFileSync(`${place().file('server')}.new`, 'half', { mode: 0o644 })
    rmSync(place().file('server'))
    await open()
    assert.equal(statSync(place().file('server-ca')).mode & 0o777, 0o600)
    assert.match(told.join(''), /could be read by others/)
    assert.equal(statSync(place().file('server')).mode & 0o777, 0o600)
    assert.ok(!existsSync(`${place().file('server')}.new`))
  })

  test('a request is signed for its key and its name, and for no longer than the authority holds', async () => {
    const pki = await open()
    const client = { user: 'Zoë "x", O=y', groups: ['#1', 'a,b'] }
    const { request, key } = await requestClient(client)
    const certificate = await pki.sign(request, DAY)
    const { subject } = new X509Certificate(certificate).toLegacyObject()
    assert.deepEqual({ ...subject }, { CN: client.user, O: client.groups })
    parsePair(`${certificate}\n${key}`)
    assert.ok(isSignedBy(certificate, pki.clientAuthority))
    await assert.rejects(pki.sign(request, 11 * YEAR), /the authority itself holds until 20/)
    await assert.rejects(pki.sign('nonsense', DAY), /no certificate request/)
    await assert.rejects(pki.sign(tampered(request), DAY), /signature/)
    for (const bad of [
      { user: '', groups: [] },
      { user: 'a\nb', groups: [] },
      { user: 'a', groups: ['x\0'] },
      { user: 'x'.repeat(254), groups: [] },
    ]) {
      await assert.rejects(async () => pki.sign((await requestClient(bad)).request, DAY), /name/, JSON.stringify(bad).slice(0, 40))
    }
  })
})

/** With another last byte, which is one of the signature's. */
function tampered(pem: string): string {
  const bytes = Buffer.from(pem.replaceAll(/-----.*-----/g, ''), 'base64')
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1)
  return `-----BEGIN CERTIFICATE REQUEST-----\n${bytes.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`
}
