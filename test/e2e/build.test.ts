import assert from 'node:assert/strict'
import { accessSync, constants, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { inRepository, run, Server } from '../support/pmk.ts'
import { openSocketWatch, seen } from '../support/watches.ts'

const MAIN = inRepository('dist/main.js')

/** The files that a command loads of the program. */
async function loadedBy(dataDir: string, ...args: readonly string[]): Promise<readonly string[]> {
  const preload = inRepository('test/fixtures/loaded-files.cjs')
  const { stderr } = await run([process.execPath, '--require', preload, MAIN, ...args], { PMK_HOME: dataDir })
  const line = /^loaded: (.*)$/m.exec(stderr)?.[1]
  assert.ok(line !== undefined, `nothing was told: ${stderr}`)
  return line.split(' ')
}

test('get is one file to load, and no command but the server loads the server, which finds what it loads late', {
  timeout: 60_000,
}, async () => {
  const server = await Server.start({ source: false })
  try {
    const watch = await openSocketWatch(
      join(server.dataDir, 'pmk.sock'),
      '/api/v1/namespaces?watch=true&fieldSelector=metadata.name%3Ddefault',
    )
    assert.equal((await seen(watch, 1))[0].object.metadata.name, 'default')
    watch.destroy()
    assert.deepEqual(await loadedBy(server.dataDir, 'get', 'processes'), ['main.js'])
    for (const args of [
      ['apply', '-f', inRepository('manifests/quickstart.yaml'), '--dry-run=server'],
      ['why', 'nobody'],
      ['server', 'status'],
    ]) {
      const loaded = await loadedBy(server.dataDir, ...args)
      assert.ok(!loaded.includes('server.js'), `${args.join(' ')} loads ${loaded}`)
    }
  } finally {
    await server.close()
  }
})

test('the program can be called by itself, by a link, and from anywhere', { timeout: 60_000 }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'pmk-e2e-'))
  try {
    accessSync(MAIN, constants.X_OK)
    symlinkSync(MAIN, join(dir, 'pmk'))
    const { code, stdout } = await run(['sh', '-c', `cd / && "$0" --version && "$0" get --help`, join(dir, 'pmk')])
    assert.equal(code, 0)
    assert.match(stdout, /^pmk \d+\.\d+\.\d+\n[\s\S]*pmk get processes/)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})
