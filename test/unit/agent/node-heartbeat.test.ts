import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HEARTBEAT, NodeHeartbeat } from '../../../src/agent/node-heartbeat.ts'
import { silentLogger } from '../../../src/base/log.ts'
import { eventually } from '../../support/eventually.ts'
import { type Fate, faultyClient } from '../../support/faulty-client.ts'
import { testRegistry } from '../registry/support.ts'

test('a Node says that its disk runs out of room, and afterwards that no status could be written for a while', async () => {
  const { client, clock } = await testRegistry()
  let fate: Fate = 'done'
  let shortage: string | undefined
  const events: { readonly reason: string; readonly message: string }[] = []
  const heartbeat = new NodeHeartbeat({
    client: faultyClient(client, () => fate).for('Node'),
    nodeName: 'here',
    version: '1',
    bootId: 'b',
    instances: () => 0,
    hostGaps: () => [],
    diskShortage: () => shortage,
    record: (node, event) => {
      assert.equal(node.metadata.name, 'here')
      events.push(event)
    },
    clock,
    log: silentLogger,
  })
  const end = new AbortController()
  const running = heartbeat.run(end.signal)
  const pressure = async (): Promise<readonly (string | undefined)[]> => {
    const { status } = await client.for('Node').get({ name: 'here' })
    const condition = status?.conditions?.find(({ type }) => type === 'DiskPressure')
    return [condition?.status, condition?.message]
  }
  const beat = (): Promise<void> => clock.advance(HEARTBEAT * 1.5)
  await eventually(async () => assert.deepEqual(await pressure(), ['False', undefined]))

  shortage = 'The disk has 3 MiB left'
  await beat()
  await eventually(async () => assert.deepEqual(await pressure(), ['True', 'The disk has 3 MiB left']))

  fate = 'lost'
  const since = Date.parse(clock.now())
  for (let n = 0; n < 5; n++) await beat()
  assert.equal(events.length, 0)
  fate = 'done'
  shortage = undefined
  await eventually(async () => {
    await beat()
    assert.deepEqual(await pressure(), ['False', undefined])
  })
  await eventually(() =>
    assert.deepEqual(
      events.map(({ reason }) => reason),
      ['WritesRefused'],
    ),
  )
  const [, from = '', to = ''] =
    /^From (\S+) to (\S+) no status could be written\. connection refused$/.exec(events[0]?.message ?? '') ?? []
  assert.ok(Date.parse(from) >= since && Date.parse(from) <= since + 2 * HEARTBEAT, `${from} is when it began`)
  assert.ok(Date.parse(to) >= since + 5 * HEARTBEAT, `${to} is when it ended`)
  end.abort()
  await running
})
