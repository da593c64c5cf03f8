import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Fate, faultyClient } from '../../support/faulty-client.ts'
import { map, SourceWorld } from '../../support/source-world.ts'

const FIRST = {
  'a.yaml': map('a'),
  'b.yaml': map('b'),
  'n.yaml': 'apiVersion: v1\nkind: Namespace\nmetadata: {name: prod}\n',
  'c.yaml': map('c', 'one', { namespace: 'prod' }),
}
const SECOND = { 'a.yaml': map('a', 'two'), 'd.yaml': map('d') }

/** What is there at the end, whatever happened on the way. */
async function endOf(world: SourceWorld): Promise<object> {
  const { status } = await world.source('web')
  return {
    default: await world.values(),
    prod: await world.find('Namespace', 'prod'),
    inventory: status?.inventory,
    ready: status?.ready,
    files: status?.files,
  }
}

const END = {
  default: { a: 'two', d: 'one' },
  prod: undefined,
  inventory: ['configmaps/default/a', 'configmaps/default/d'],
  ready: 'True',
  files: 2,
}

describe('a source whose server is killed', () => {
  for (const fate of ['lost', 'unanswered'] as const) {
    test(`at any of its writes (${fate}) ends in the same state, and leaves nothing behind`, async () => {
      let most = Number.POSITIVE_INFINITY
      let killed = 0
      for (let at = 1; at <= most; at++) {
        let writes = 0
        let isDown = false
        const fateOf = (): Fate => {
          if (isDown) return 'lost'
          writes += 1
          if (writes !== at) return 'done'
          isDown = true
          killed += 1
          return fate
        }
        const world = await SourceWorld.start({ wrapSource: (client) => faultyClient(client, fateOf) })
        try {
          world.origin('web').set(FIRST)
          await world.create('web', { prune: true })
          await world.env.clock.advance(400)
          // The files change while the server is down: what was begun must be known to the next one.
          world.origin('web').set(SECOND)
          await world.env.clock.advance(400)
          const restarted = world.env.restartControllers()
          isDown = false
          await restarted
          await world.settle()
          await world.env.clock.advance(1_000)
          await world.settle()
          assert.deepEqual(await endOf(world), END, `after a kill at write ${at}`)
          if (killed < at) most = at
        } finally {
          await world.stop()
        }
      }
      assert.ok(killed > 8, `only ${killed} writes`)
    })
  }
})
