import assert from 'node:assert/strict'
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { hasReason } from '../../../src/api/status.ts'
import type { TlsCredentials } from '../../../src/apiserver/secure-server.ts'
import type { SecureAddress } from '../../../src/apiserver/server.ts'
import { TlsPort } from '../../../src/app/tls-port.ts'
import { createLogger } from '../../../src/base/log.ts'
import type { Kubeconfig } from '../../../src/pki/kubeconfig.ts'
import { isSignedBy } from '../../../src/pki/pair.ts'
import { FakeClock, settle } from '../../support/fake-clock.ts'
import { tempDir } from '../../support/temp-dir.ts'

const SECOND = 1_000
const DAY = 86_400 * SECOND

/** Takes the place of the API server's listeners. */
class FakeListeners {
  readonly served: TlsCredentials[] = []
  readonly addresses: string[] = []
  busy = false

  async listenSecurely({ host, port, credentials }: SecureAddress): Promise<number> {
    if (this.busy) throw Object.assign(new Error('listen EADDRINUSE'), { code: 'EADDRINUSE' })
    this.addresses.push(`${host} ${port}`)
    this.served.push(credentials)
    return port === 0 ? 40_000 : port
  }

  useCredentials(credentials: TlsCredentials): void {
    this.served.push(credentials)
  }
}

/** Files are written on real turns of the loop, without time passing. */
async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 10_000 && !condition(); turn++) await settle()
  assert.ok(condition(), 'it did not come about')
}

describe('the TLS port of a server', () => {
  let clock: FakeClock
  let dir: Awaited<ReturnType<typeof tempDir>>
  let api: FakeListeners
  let told: string[]
  let opened: TlsPort[]

  beforeEach(async () => {
    clock = new FakeClock()
    dir = await tempDir()
    api = new FakeListeners()
    told = []
    opened = []
  })
  afterEach(async () => {
    for (const port of opened) await port.close()
    assert.equal(clock.pending, 0)
    await dir.remove()
  })

  const file = (): string => join(dir.path, 'kubeconfig')
  const kubeconfig = (): Kubeconfig => JSON.parse(readFileSync(file(), 'utf8'))
  const open = async (
    options: { readonly bind?: string; readonly port?: number; readonly names?: readonly string[] } = {},
  ): Promise<TlsPort> => {
    const { bind = '127.0.0.1', port = 6446, names = [] } = options
    const log = createLogger({ level: 'info', write: (line) => told.push(line) })
    const made = new TlsPort({ api, clock, log, bind, port, names, pki: join(dir.path, 'pki'), kubeconfig: file() })
    opened.push(made)
    await made.open()
    return made
  }

  test('has names of this machine and further ones, and a kubeconfig beside it', async () => {
    const port = await open({ bind: '10.1.2.3', port: 0, names: ['PMK.example'] })
    assert.deepEqual(api.addresses, ['10.1.2.3 0'])
    const [first] = api.served
    for (const name of ['127.0.0.1', '::1', 'localhost', '10.1.2.3', 'pmk.example']) assert.ok(first?.names.includes(name), name)
    assert.equal(port.endpoint().server, 'https://10.1.2.3:40000')
    assert.ok(isSignedBy(first?.certificate ?? '', port.endpoint().certificateAuthority))
    assert.deepEqual(kubeconfig().clusters[0]?.cluster, {
      server: 'https://10.1.2.3:40000',
      'certificate-authority-data': Buffer.from(port.endpoint().certificateAuthority).toString('base64'),
    })
    assert.equal(statSync(file()).mode & 0o777, 0o600)
  })

  test('is named by an address of loopback when it listens on all, and by brackets when that is IPv6', async () => {
    assert.equal((await open({ bind: '0.0.0.0' })).endpoint().server, 'https://127.0.0.1:6446')
    assert.equal((await open({ bind: '::1' })).endpoint().server, 'https://[::1]:6446')
  })

  test('serves renewed certificates in time, and writes them into the kubeconfig', async () => {
    const port = await open()
    const before = readFileSync(file(), 'utf8')
    assert.equal(clock.pending, 1)
    const { certificateAuthority } = port.endpoint()
    clock.jump(200 * DAY)
    await clock.advance(60 * SECOND)
    await until(() => clock.pending === 1)
    assert.equal(api.served.length, 1)
    clock.jump(50 * DAY)
    await clock.advance(60 * SECOND)
    await until(() => readFileSync(file(), 'utf8') !== before)
    assert.equal(api.served.length, 2)
    assert.equal(api.addresses.length, 1)
    assert.notEqual(api.served[1]?.certificate, api.served[0]?.certificate)
    assert.ok(isSignedBy(api.served[1]?.certificate ?? '', certificateAuthority))
  })

  test('that is in use is told once, tried again, and had when it is free', async () => {
    api.busy = true
    const port = await open()
    assert.throws(
      () => port.endpoint(),
      (err) =>
        hasReason(err, 'ServiceUnavailable') &&
        /port 6446 of 127\.0\.0\.1 is in use by another program. Choose another with --port/.test(err.message),
    )
    assert.ok(!existsSync(file()))
    for (const seconds of [10, 20, 40, 60]) {
      await clock.advance(seconds * SECOND)
      await until(() => clock.pending === 1)
    }
    assert.equal(told.filter((line) => line.includes('is in use')).length, 1)
    api.busy = false
    await clock.advance(60 * SECOND)
    await until(() => existsSync(file()))
    assert.equal(port.endpoint().server, 'https://127.0.0.1:6446')
  })

  test('with a damaged authority is not there until that is put right', async () => {
    await (await open()).close()
    const authority = join(dir.path, 'pki', 'client-ca.pem')
    const whole = readFileSync(authority)
    writeFileSync(authority, 'half')
    const port = await open()
    assert.throws(() => port.endpoint(), /client-ca\.pem can't be used/)
    writeFileSync(authority, whole)
    await clock.advance(10 * SECOND)
    await until(() => clock.pending === 1)
    assert.equal(port.endpoint().server, 'https://127.0.0.1:6446')
  })

  test('that nobody wants makes nothing, and leaves no kubeconfig that leads nowhere', async () => {
    await (await open()).close()
    rmSync(join(dir.path, 'pki'), { recursive: true })
    const port = await open({ port: -1 })
    assert.throws(
      () => port.endpoint(),
      (err) => hasReason(err, 'NotFound'),
    )
    assert.ok(!existsSync(join(dir.path, 'pki')))
    assert.ok(!existsSync(file()))
  })
})
