import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { inRepository, isAlive, missing, run, Server } from '../support/pmk.ts'

const skip =
  missing('sshd', 'ssh-keyscan') ||
  (process.getuid?.() === 0 ? false : 'NOT TESTED: the manifest needs root') ||
  (existsSync('/etc/ssh/ssh_host_ed25519_key') ? false : 'NOT TESTED: no host key in /etc/ssh')

test('sshd: answers with its host key, passes its check, reloads, gone after delete', { skip, timeout: 120_000 }, async () => {
  const server = await Server.start()
  try {
    await server.ok('apply', '-f', inRepository('manifests/sshd.yaml'))
    await server.ok('wait', '--for=condition=Ready', 'process/sshd', '--timeout=60s')
    const scan = await run(['ssh-keyscan', '-t', 'ed25519', '-p', '10022', '127.0.0.1'])
    assert.match(scan.stdout, /ssh-ed25519 AAAA/)
    await server.ok('action', 'sshd', 'configtest')
    const { status } = await server.client.for('Instance').get({ namespace: 'default', name: 'sshd-0' })
    await server.ok('reload', 'sshd')
    await server.ok('wait', '--for=condition=Ready', 'process/sshd', '--timeout=60s')
    assert.ok(isAlive(status?.pid ?? 0), 'HUP makes sshd start itself anew under the same pid')
    await server.ok('delete', '-f', inRepository('manifests/sshd.yaml'))
    assert.equal(isAlive(status?.pid ?? 0), false)
  } finally {
    await server.close()
  }
})
