import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Level } from 'level'
import { eventually } from '../support/eventually.ts'
import { processesOf, Server } from '../support/pmk.ts'

const sleeper = (name: string, seconds: number): string =>
  `{apiVersion: pmk.dev/v1, kind: Process, metadata: {name: ${name}}, spec: {command: [sleep, "${seconds}"]}}\n---\n`

const programs = (dataDir: string, seconds: number): readonly number[] =>
  processesOf(dataDir)
    .filter(({ command }) => command.endsWith(`sleep ${seconds} `))
    .map(({ pid }) => pid)

describe('backup and restore', () => {
  const place = mkdtempSync(join(tmpdir(), 'pmk-backup-'))
  const file = join(place, 'pmk.gz')
  let server: Server

  before(async () => {
    server = await Server.start()
  })
  after(async () => {
    rmSync(place, { recursive: true })
    await server.close()
  })

  test('a backup of a running server, restored: what it names goes on, what is not in it ends, old watches are refused', {
    timeout: 180_000,
  }, async () => {
    await server.apply(sleeper('old', 1_000_000))
    await server.ok('wait', '--for=condition=Ready', 'process/old', '--timeout=60s')
    // Writers go on meanwhile.
    let isOver = false
    let round = 0
    const writing = (async () => {
      const maps = server.client.for('ConfigMap')
      for (; !isOver; round++) {
        await maps.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `first-${round}`, namespace: 'default' } })
        await maps.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `second-${round}`, namespace: 'default' } })
      }
    })()
    await eventually(() => assert.ok(round > 5, 'they write'))
    const said = await server.ok('server', 'backup', file)
    isOver = true
    await writing
    assert.match(said, /^Backed up \d+ objects at revision \d+ \(\d+ KiB\) to /)
    assert.equal(statSync(file).mode & 0o777, 0o600)
    const piped = await server.pmk('server', 'backup', '-')
    assert.equal(piped.code, 0, piped.stderr)
    assert.match(piped.stderr, /^Backed up \d+ objects/)

    await server.apply(sleeper('new', 1_000_001))
    await server.ok('wait', '--for=condition=Ready', 'process/new', '--timeout=60s')
    const late = await server.client.for('Process').list({ namespace: 'default' })
    const running = programs(server.dataDir, 1_000_000)
    assert.equal(running.length, 1)

    const refused = await server.pmk('server', 'restore', file, '--force')
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /^error: A server \(pid \d+\) runs on .* Stop it first: pmk server stop/)
    await server.ok('server', 'stop')
    const offline = await server.ok('server', 'backup', join(place, 'offline.gz'))
    assert.match(offline, /^Backed up \d+ objects/)
    const unforced = await server.pmk('server', 'restore', file)
    assert.equal(unforced.code, 1)
    assert.match(unforced.stderr, /--force/)
    writeFileSync(join(place, 'cut.gz'), readFileSync(file).subarray(0, -10))
    const cut = await server.pmk('server', 'restore', join(place, 'cut.gz'), '--force')
    assert.equal(cut.code, 1)
    assert.match(cut.stderr, /^error: The backup is (damaged|cut off) .*\n$/)
    assert.equal(readdirSync(server.dataDir).filter((name) => name.startsWith('db')).length, 1, 'nothing was touched')

    const restored = await server.ok('server', 'restore', file, '--force')
    assert.match(restored, /^Restored \d+ objects of revision \d+, backed up .*\nThe store that was there is in .*db\.before-restore-/)
    await server.run()
    await eventually(() => assert.deepEqual(programs(server.dataDir, 1_000_001), [], 'what the backup does not have is stopped'))
    assert.deepEqual(programs(server.dataDir, 1_000_000), running, 'what it has was not touched')
    await assert.rejects(server.client.for('Process').get({ namespace: 'default', name: 'new' }), /not found/)
    const { items } = await server.client.for('ConfigMap').list({ namespace: 'default' })
    const names = new Set(items.map(({ metadata }) => metadata.name))
    for (const name of names) if (name.startsWith('second-')) assert.ok(names.has(name.replace('second', 'first')), `${name} came second`)
    const watch = async (): Promise<void> => {
      const { resourceVersion } = late
      const query = { watch: true, ...(resourceVersion === undefined ? {} : { resourceVersion }), timeoutSeconds: 5 }
      const answer = await server.client.request({ method: 'GET', path: '/apis/pmk.dev/v1/processes', query })
      assert.match(await answer.text(), /"code":410/)
    }
    await watch()
  })

  test('a store that is damaged, newer or gone is told in a sentence, with exit code 1, and nothing is touched', {
    timeout: 120_000,
  }, async () => {
    await server.kill('SIGTERM')
    const db = join(server.dataDir, 'db')
    const kept = join(place, 'db')
    cpSync(db, kept, { recursive: true })
    const running = processesOf(server.dataDir).filter(({ command }) => command.includes('sleep '))
    const refuses = async (damage: () => unknown, says: RegExp): Promise<void> => {
      await damage()
      const answer = await server.pmk('server', 'run')
      assert.equal(answer.code, 1, answer.stdout)
      assert.match(answer.stderr, says)
      assert.match(answer.stderr, /^error: [^\n]*\n$/, 'one sentence, no stack trace')
      assert.deepEqual(
        processesOf(server.dataDir).filter(({ command }) => command.includes('sleep ')),
        running,
      )
      rmSync(db, { recursive: true, force: true })
      cpSync(kept, db, { recursive: true })
    }
    await refuses(async () => {
      const level = new Level(db)
      await level.put('m/format', '2')
      await level.close()
    }, /format 2 and was written by a newer version of pmk; .* Start the newer version/)
    await refuses(() => rmSync(join(db, 'CURRENT')), /CURRENT is missing.*pmk server restore FILE/)
    await refuses(() => rmSync(db, { recursive: true }), /is gone, but \d+ Instances of it are in .*--new-store/)
    await server.run()
  })
})
