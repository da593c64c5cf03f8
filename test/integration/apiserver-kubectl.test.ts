import assert from 'node:assert/strict'
import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { TestApiServer } from '../support/api-server.ts'
import { eventually } from '../support/eventually.ts'
import { RawConnection } from '../support/raw-connection.ts'
import { tempDir } from '../support/temp-dir.ts'
import { TlsAccess } from '../support/tls-access.ts'

const hasKubectl = spawnSync('kubectl', ['version', '--client']).status === 0

/** More than one kubectl sends at once, and few enough to be taken by a test. */
const REQUESTS = 30

/** The kubectl that is installed, over TLS with a client certificate. */
describe('kubectl', { skip: !hasKubectl && 'kubectl is not installed' }, () => {
  let server: TestApiServer
  let dir: Awaited<ReturnType<typeof tempDir>>
  let access: TlsAccess

  before(async () => {
    dir = await tempDir()
    server = await TestApiServer.start({ limits: { requests: REQUESTS } })
    access = await TlsAccess.open(server.server)
    await writeFile(join(dir.path, 'kubeconfig'), await access.kubeconfig())
  })
  after(async () => {
    await server.stop()
    await dir.remove()
  })

  function kubectl(...args: string[]): Promise<{ readonly code: number; readonly out: string }> {
    const env = { PATH: process.env.PATH, HOME: dir.path, KUBECONFIG: join(dir.path, 'kubeconfig') }
    return new Promise((resolve) => {
      execFile('kubectl', ['--cache-dir', join(dir.path, 'cache'), ...args], { env, timeout: 60_000 }, (err, stdout, stderr) => {
        resolve({ code: err === null ? 0 : Number(err.code), out: `${stdout}${stderr}` })
      })
    })
  }
  async function file(name: string, text: string): Promise<string> {
    await writeFile(join(dir.path, name), text)
    return join(dir.path, name)
  }

  test('applies, changes, shows, scales and deletes a Process', async () => {
    const manifest = (replicas: number): string =>
      `apiVersion: pmk.dev/v1\nkind: Process\nmetadata: {name: web}\nspec: {command: [sleep, "1000"], replicas: ${replicas}}\n`
    const path = await file('web.yaml', manifest(2))
    assert.equal((await kubectl('apply', '-f', path)).out, 'process.pmk.dev/web created\n')
    assert.equal((await kubectl('apply', '-f', path)).out, 'process.pmk.dev/web unchanged\n')
    await file('web.yaml', manifest(3))
    assert.equal((await kubectl('diff', '-f', path)).code, 1)
    assert.equal((await kubectl('apply', '-f', path)).out, 'process.pmk.dev/web configured\n')
    // With a warm cache of discovery, whose copy a 304 must leave whole.
    assert.match((await kubectl('get', 'proc')).out, /^NAME +READY +STATUS +RESTARTS +AGE\nweb +0\/3 +\S+ +0 +\d+s\n$/)
    assert.match((await kubectl('get', 'proc', '-o', 'wide')).out, /COMMAND\n.*sleep 1000\n$/)
    assert.equal((await kubectl('scale', 'process/web', '--replicas=5')).out, 'process.pmk.dev/web scaled\n')
    assert.equal((await kubectl('get', 'process', 'web', '-o', 'jsonpath={.spec.replicas}')).out, '5')
    assert.match((await kubectl('delete', 'process', 'web', '--wait=false')).out, /"web" deleted/)
  })

  test('explains fields, and refuses unknown and wrong ones by name', async () => {
    assert.match((await kubectl('explain', 'process.spec.replicas')).out, /FIELD: replicas <integer>/)
    const path = await file('bad.yaml', 'apiVersion: pmk.dev/v1\nkind: Process\nmetadata: {name: bad}\nspec: {command: [a], bogus: 1}\n')
    const refused = await kubectl('apply', '-f', path)
    assert.equal(refused.code, 1)
    assert.match(refused.out, /unknown field "spec\.bogus"/)
  })

  test('applies a List and a changed ConfigMap', async () => {
    const list = (value: string): string =>
      `apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: l}, data: {a: ${value}}}\n`
    const path = await file('list.yaml', list('b'))
    assert.equal((await kubectl('apply', '-f', path)).out, 'configmap/l created\n')
    await file('list.yaml', list('c'))
    assert.equal((await kubectl('apply', '-f', path)).out, 'configmap/l configured\n')
    assert.equal((await kubectl('delete', 'configmap', 'l')).code, 0)
  })

  test('comes again when there is no room for its request, as Retry-After says', async () => {
    const half = `POST /api/v1/namespaces HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{`
    const held = Array.from({ length: REQUESTS }, () => new RawConnection(server.socketPath).write(half))
    try {
      await eventually(() => assert.equal(server.server.requests, REQUESTS))
      const env = { PATH: process.env.PATH, HOME: dir.path, KUBECONFIG: join(dir.path, 'kubeconfig') }
      const child = spawn('kubectl', ['-v=8', 'get', '--raw', '/api/v1/namespaces'], { env, stdio: ['ignore', 'pipe', 'pipe'] })
      let [out, told] = ['', '']
      child.stdout.on('data', (chunk: Buffer) => {
        out += chunk.toString()
      })
      child.stderr.on('data', (chunk: Buffer) => {
        told += chunk.toString()
      })
      const ended = once(child, 'close')
      await eventually(() => assert.match(told, /429/, 'kubectl was not refused yet'))
      for (const { socket } of held) socket.destroy()
      const [code] = await ended
      assert.equal(code, 0, told)
      assert.equal(JSON.parse(out).kind, 'NamespaceList')
    } finally {
      for (const { socket } of held) socket.destroy()
    }
  })
})
