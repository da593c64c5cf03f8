import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import type { InstanceStatus } from '../../../src/generated/types.ts'
import { map, processManifest, SourceWorld } from '../../support/source-world.ts'

describe('a source that depends on others', () => {
  let world: SourceWorld
  beforeEach(async () => {
    world = await SourceWorld.start()
    for (const name of ['base', 'web']) world.origin(name).set({ 'a.yaml': map(name) })
  })
  afterEach(() => world.stop())

  const ON_BASE = { dependsOn: [{ name: 'base' }], interval: '1h' }

  test('waits for one that is not there, and goes on as soon as it is ready', async () => {
    await world.create('web', ON_BASE)
    await world.settle()
    const source = await world.source('web')
    assert.equal(world.conditionOf(source, 'Ready'), 'False DependencyNotReady: waits for ManifestSource default/base, which is not there')
    assert.match(world.conditionOf(source, 'Reconciling'), /^True DependencyNotReady/)
    assert.deepEqual(await world.values(), {})
    await world.create('base')
    await world.settle()
    assert.equal(await world.ready('web'), 'True Applied')
    assert.deepEqual(await world.values(), { base: 'one', web: 'one' })
    assert.deepEqual(await world.events('DependencyNotReady'), [], 'to wait is nothing to be told of')
  })

  test('waits for one that fails, names why, and goes on when that is mended', async () => {
    world.origin('base').set({ 'a.yaml': '[' })
    await world.create('base')
    await world.create('web', ON_BASE)
    await world.settle()
    const { message } = (await world.source('web')).status ?? {}
    assert.match(message ?? '', /^waits for ManifestSource default\/base, which is InvalidManifests: Nothing was changed\. a\.yaml:/)
    world.origin('base').set({ 'a.yaml': map('base') })
    await world.settle()
    assert.equal(await world.ready('web'), 'True Applied')
  })

  test('goes on when the other is ready at another generation', async () => {
    await world.create('base')
    await world.create('web', ON_BASE)
    await world.settle()
    assert.equal(await world.ready('web'), 'True Applied')
    await world.change('base', { interval: '2m' })
    world.origin('web').set({ 'a.yaml': map('web', 'two') })
    await world.settle()
    assert.equal(await world.ready('web'), 'True Applied')
    assert.equal((await world.values()).web, 'two')
  })

  test('is told of a cycle, of whatever length, and goes on when it is broken', async () => {
    await world.create('base', { dependsOn: [{ name: 'middle', namespace: 'default' }] })
    world.origin('middle').set({ 'a.yaml': map('middle') })
    await world.create('middle', { dependsOn: [{ name: 'web' }] })
    await world.create('web', ON_BASE)
    await world.settle()
    const { resourceVersion } = (await world.source('web')).metadata
    for (const name of ['base', 'middle', 'web']) {
      const source = await world.source(name)
      assert.match(
        world.conditionOf(source, 'Ready'),
        /^False DependencyCycle: waits for itself: default\/\w+ → default\/\w+ → default\/\w+ → default\/\w+;/,
      )
      assert.match(world.conditionOf(source, 'Stalled'), /^True/)
    }
    assert.equal((await world.events('DependencyCycle')).length, 3)
    await world.env.clock.advance(600_000)
    assert.equal((await world.source('web')).metadata.resourceVersion, resourceVersion, 'a cycle is told of once')
    await world.change('base', { dependsOn: null })
    await world.settle()
    for (const name of ['base', 'middle', 'web']) assert.equal(await world.ready(name), 'True Applied', name)
  })

  test('says one sentence each in a long chain', async () => {
    await world.create('web', { dependsOn: [{ name: 's1' }] })
    for (let n = 1; n < 6; n++) {
      world.origin(`s${n}`).set({ 'a.yaml': map(`s${n}`) })
      await world.create(`s${n}`, { dependsOn: [{ name: `s${n + 1}` }] })
    }
    await world.settle()
    assert.equal((await world.source('web')).status?.message, 'waits for ManifestSource default/s1, which is DependencyNotReady')
  })
})

describe('a source that waits for its Processes', () => {
  let world: SourceWorld
  let outcome: Partial<InstanceStatus> = {}
  beforeEach(async () => {
    outcome = {}
    world = await SourceWorld.start({ outcome: () => outcome })
    world.origin('web').set({ 'p.yaml': processManifest('p'), 'a.yaml': map('a') })
  })
  afterEach(() => world.stop())

  const STARTING: Partial<InstanceStatus> = { phase: 'Starting', reason: 'Starting', ready: false }
  const now = async (next: Partial<InstanceStatus>): Promise<void> => {
    outcome = next
    await world.env.agent.lookAgain()
    await world.settle()
  }

  test('is Ready when they are', async () => {
    outcome = STARTING
    await world.create('web', { wait: true, interval: '1h' })
    world.origin('next').set({ 'n.yaml': map('n') })
    await world.create('next', { dependsOn: [{ name: 'web' }], interval: '1h' })
    await world.settle()
    const source = await world.source('web')
    assert.match(world.conditionOf(source, 'Ready'), /^False WaitingForHealth: Process default\/p is Starting/)
    assert.match(world.conditionOf(source, 'Reconciling'), /^True WaitingForHealth/)
    assert.equal(await world.ready('next'), 'False DependencyNotReady')
    await now({})
    assert.equal(await world.ready('web'), 'True Applied')
    assert.equal(await world.ready('next'), 'True Applied')
    assert.deepEqual(await world.events('HealthCheckFailed'), [])
  })

  test('names the Process that gave up and why, at once', async () => {
    outcome = { phase: 'Failed', reason: 'GaveUp', ready: false, message: 'ended with exit code 3 five times within 1m' }
    await world.create('web', { wait: true })
    await world.settle()
    const source = await world.source('web')
    assert.match(
      world.conditionOf(source, 'Ready'),
      /^False HealthCheckFailed: Process default\/p is GaveUp: p-0: ended with exit code 3 five times within 1m; see pmk why p$/,
    )
    assert.match(world.conditionOf(source, 'Stalled'), /^True/)
    assert.equal((await world.events('HealthCheckFailed')).length, 1)
    await now({})
    assert.equal(await world.ready('web'), 'True Applied')
  })

  test('names the Process that is not Ready within the timeout', async () => {
    outcome = STARTING
    await world.create('web', { wait: true, timeout: '30s', interval: '1h' })
    await world.settle()
    await world.env.clock.advance(25_000)
    assert.equal(await world.ready('web'), 'False WaitingForHealth')
    await world.env.clock.advance(6_000)
    await world.settle()
    assert.match((await world.source('web')).status?.message ?? '', /^Process default\/p is Starting: .*; waited 30s$/)
    assert.equal(await world.ready('web'), 'False HealthCheckFailed')
  })

  test('waits anew for a Process that fails later, and tells of a crash loop once', async () => {
    await world.create('web', { wait: true, timeout: '30s' })
    await world.settle()
    await world.env.clock.advance(120_000)
    assert.equal(await world.ready('web'), 'True Applied')
    for (let n = 1; n <= 20; n++) await now({ phase: 'Pending', reason: 'CrashLoopBackOff', ready: false, message: `restarted ${n} times` })
    assert.equal(await world.ready('web'), 'False WaitingForHealth')
    await world.env.clock.advance(60_000)
    for (let n = 21; n <= 40; n++)
      await now({ phase: 'Pending', reason: 'CrashLoopBackOff', ready: false, message: `restarted ${n} times` })
    assert.equal(await world.ready('web'), 'False HealthCheckFailed')
    assert.equal((await world.events('HealthCheckFailed')).length, 1)
  })

  test('waits for as long as a Process must be Ready', async () => {
    world.origin('web').set({ 'p.yaml': processManifest('p', '  minReadySeconds: 10\n') })
    await world.create('web', { wait: true, interval: '1h' })
    await world.settle()
    assert.equal((await world.source('web')).status?.message, 'Process default/p is Ready, and not yet for minReadySeconds, 10')
    assert.equal(await world.ready('web'), 'False WaitingForHealth')
    await world.env.clock.advance(10_000)
    await world.settle()
    assert.equal(await world.ready('web'), 'True Applied')
  })

  test('does not wait for what is to be stopped', async () => {
    outcome = STARTING
    world.origin('web').set({ 'p.yaml': processManifest('p', '  desiredState: Stopped\n') })
    await world.create('web', { wait: true })
    await world.settle()
    assert.equal(await world.ready('web'), 'True Applied')
  })

  test('waits for the change, and not for the Process as it was before', async () => {
    await world.create('web', { wait: true, interval: '1h' })
    await world.settle()
    outcome = STARTING
    world.origin('web').set({ 'p.yaml': processManifest('p', '  env: [{name: A, value: b}]\n') })
    await world.settle()
    assert.equal(await world.ready('web'), 'False WaitingForHealth')
  })
})
