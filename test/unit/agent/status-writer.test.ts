import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { StatusWriter } from '../../../src/agent/status-writer.ts'
import { apiError } from '../../../src/api/status.ts'
import { silentLogger } from '../../../src/base/log.ts'
import type { Instance, InstanceStatus } from '../../../src/generated/types.ts'
import { FakeClock, settle } from '../../support/fake-clock.ts'
import { PolicyWorld } from '../../support/policy-world.ts'

describe('a status that is reported', () => {
  let clock: FakeClock
  let stored: Instance
  let cached: Instance | undefined
  let written: (string | undefined)[]
  let fail: (() => Error) | undefined
  let hold: Promise<void> | undefined
  let writer: StatusWriter
  let controller: AbortController
  let done: Promise<void>

  beforeEach(() => {
    clock = new FakeClock()
    const { instance } = new PolicyWorld()
    stored = instance
    cached = instance
    written = []
    fail = undefined
    hold = undefined
    writer = new StatusWriter({
      clock,
      log: silentLogger,
      cached: () => cached,
      client: {
        get: async () => stored,
        updateStatus: async (object) => {
          await hold
          if (fail !== undefined) throw fail()
          if (object.metadata.resourceVersion !== stored.metadata.resourceVersion) throw apiError('Conflict', 'changed meanwhile')
          written.push(object.status?.phase)
          const resourceVersion = String(Number(stored.metadata.resourceVersion) + 1)
          stored = { ...object, metadata: { ...object.metadata, resourceVersion } }
          return stored
        },
      },
    })
    controller = new AbortController()
    done = writer.run(controller.signal)
  })
  afterEach(async () => {
    controller.abort()
    await done
    assert.equal(clock.pending, 0)
  })

  const report = async (phase: NonNullable<InstanceStatus['phase']>): Promise<void> => {
    writer.set('u-1', { phase })
    await settle()
  }

  test('is written, once', async () => {
    await report('Running')
    await report('Running')
    assert.deepEqual(written, ['Running'])
    assert.equal(writer.pending, 0)
  })

  test('follows its own last write, also while the cache does not have it yet', async () => {
    await report('Starting')
    await report('Running')
    assert.deepEqual(written, ['Starting', 'Running'])
  })

  test('is written to fresh data when somebody else has changed the object', async () => {
    stored = { ...stored, spec: { ...stored.spec, suspend: true }, metadata: { ...stored.metadata, resourceVersion: '7' } }
    await report('Running')
    assert.deepEqual(written, ['Running'])
    assert.equal(stored.spec.suspend, true)
  })

  test('gives way to a newer one that comes while it waits', async () => {
    let release: () => void = () => {}
    hold = new Promise((resolve) => {
      release = resolve
    })
    await report('Starting')
    await report('Running')
    await report('Stopping')
    release()
    await settle()
    assert.deepEqual(written, ['Starting', 'Stopping'])
  })

  test('is tried again when the API is away', async () => {
    fail = () => apiError('ServiceUnavailable', 'away')
    await report('Running')
    assert.deepEqual(written, [])
    fail = undefined
    await clock.advance(60_000)
    assert.deepEqual(written, ['Running'])
  })

  test('is dropped when the object is gone', async () => {
    fail = () => apiError('NotFound', 'gone')
    await report('Running')
    assert.equal(writer.pending, 0)
    cached = undefined
    fail = undefined
    writer.forget('u-1')
    await report('Running')
    assert.deepEqual(written, [])
  })
})
