import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { labelsOf, map, SourceWorld } from '../../support/source-world.ts'

const LABELS = 'pmk.dev/source-namespace=default pmk.dev/source=web'

describe('a source', () => {
  let world: SourceWorld
  beforeEach(async () => {
    world = await SourceWorld.start()
  })
  afterEach(() => world.stop())

  test('applies what its files say, with its labels, and says so', async () => {
    world.origin('web').set({ 'a.yaml': map('a'), 'b.yaml': `${map('b')}---\n${map('c')}` })
    await world.create('web')
    await world.settle()
    assert.deepEqual(await world.values(), { a: 'one', b: 'one', c: 'one' })
    assert.equal(labelsOf(await world.find('ConfigMap', 'a')), LABELS)
    const source = await world.source('web')
    const { status } = source
    assert.equal(status?.message, 'Applied 3 objects of 2 files at sha256:0000000000')
    assert.deepEqual(status?.inventory, ['configmaps/default/a', 'configmaps/default/b', 'configmaps/default/c'])
    assert.equal(status?.objects, 3)
    assert.equal(status?.files, 2)
    assert.equal(status?.appliedRevision, world.origin('web').revision)
    assert.equal(status?.attemptedRevision, world.origin('web').revision)
    assert.match(world.conditionOf(source, 'Ready'), /^True Applied/)
    assert.equal(world.conditionOf(source, 'Reconciling'), 'False Idle')
    assert.equal(world.conditionOf(source, 'Stalled'), 'False Idle')
    assert.deepEqual(
      (await world.events()).map(({ message }) => message),
      ['Applied sha256:0000000000: 3 created, 0 configured, 0 pruned'],
    )
  })
})
