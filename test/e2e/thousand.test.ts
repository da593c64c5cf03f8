import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { processesOf, Server } from '../support/pmk.ts'

const COUNT = 1_000

test('1,000 Processes applied at once converge, survive a kill -9 of the server, and go', { timeout: 300_000 }, async () => {
  const server = await Server.start()
  try {
    const manifest = Array.from(
      { length: COUNT },
      (_, n) => `apiVersion: pmk.dev/v1\nkind: Process\nmetadata: {name: p${n}}\nspec: {command: [sleep, "1000000"]}\n`,
    )
    const programs = (): number => processesOf(server.dataDir).filter(({ command }) => /^\S*sleep /.test(command)).length
    const output = await server.apply(manifest.join('---\n'))
    assert.equal(output.trim().split('\n').length, COUNT)
    const table = await server.ok('get', 'processes')
    assert.equal(table.trim().split('\n').length, COUNT + 1)
    await eventually(
      async () => {
        const { items } = await server.client.for('Process').list()
        assert.equal(items.filter((process) => process.status?.readyReplicas === 1).length, COUNT)
      },
      { within: 120_000, every: 200 },
    )
    assert.equal(programs(), COUNT)
    const pids = async (): Promise<string> =>
      (await server.client.for('Instance').list()).items
        .map(({ metadata, status }) => `${metadata.name} ${status?.pid}`)
        .sort()
        .join('\n')
    const before = await pids()
    await server.kill('SIGKILL')
    await server.run()
    assert.equal(await pids(), before)
    assert.equal(programs(), COUNT)
    await server.ok('delete', 'processes', '--all', '--timeout=120s')
    assert.equal(programs(), 0)
  } finally {
    await server.close()
  }
})
