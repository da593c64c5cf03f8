import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
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
