import assert from 'node:assert/strict'
import type { ApiObject } from '../../../src/api/object.ts'
import { definitionOf, type ResourceDefinition } from '../../../src/api/scheme.ts'
import { ApiError } from '../../../src/api/status.ts'
import { decodeObject } from '../../../src/api/validate.ts'
import { epochOf, timestampOf } from '../../../src/base/clock.ts'
import { deepFreeze } from '../../../src/base/json.ts'
import { applyConfiguration, trackUpdate } from '../../../src/registry/apply.ts'

export type Fields = { readonly [name: string]: unknown }
type Subresource = 'status' | 'scale'

/** A store of one object that does what a registry does around the functions under test. */
export class OneObject {
  live: ApiObject | undefined
  #second = 0

  constructor(kind: 'Process' | 'ConfigMap' | ResourceDefinition = 'Process') {
    this.definition = typeof kind === 'string' ? definitionOf(kind) : kind
  }

  readonly definition: ResourceDefinition

  /** Grows by a second with each call. */
  get now(): string {
    return timestampOf(epochOf('2025-01-01T00:00:00.123Z') + 1000 * this.#second++)
  }

  apply(manager: string, body: Fields, options: { force?: boolean; subresource?: Subresource } = {}): ApiObject {
    const next = applyConfiguration({
      definition: this.definition,
      live: this.live,
      config: this.#config(body),
      manager,
      force: options.force ?? false,
      now: this.now,
      ...(options.subresource === undefined ? {} : { subresource: options.subresource }),
    })
    return this.#store(next)
  }

  /** Replaces what is named; undefined takes it away. */
  update(manager: string, body: Fields, subresource?: Subresource): ApiObject {
    const { metadata = {}, ...rest } = body as { metadata?: Fields }
    const merged = { ...this.#config({}), ...this.live, ...rest, metadata: { name: 'web', ...this.live?.metadata, ...metadata } }
    const { object, causes } = decodeObject(this.definition, merged, { fieldValidation: 'Strict' })
    assert.deepEqual(causes, [])
    return this.#store(
      trackUpdate({
        definition: this.definition,
        live: this.live,
        result: object as unknown as ApiObject,
        manager,
        now: this.now,
        ...(subresource === undefined ? {} : { subresource }),
      }),
    )
  }

  /** `manager/operation[/subresource]` with the FieldsV1 of each owner. */
  get owners(): Fields {
    return Object.fromEntries(
      (this.live?.metadata.managedFields ?? []).map(({ manager, operation, subresource, fieldsV1 }) => [
        [manager, operation, subresource].filter((part) => part !== undefined).join('/'),
        fieldsV1,
      ]),
    )
  }

  get spec(): Fields {
    return (this.live as unknown as { spec: Fields }).spec
  }

  #config(body: Fields): Fields {
    const { metadata = {}, ...rest } = body as { metadata?: Fields }
    return deepFreeze({
      apiVersion: this.definition.apiVersion,
      kind: this.definition.kind,
      metadata: { name: 'web', ...metadata },
      ...rest,
    })
  }

  #store(next: ApiObject): ApiObject {
    this.live = deepFreeze(next)
    return next
  }
}

/** The ApiError that a call must throw. */
export function conflictOf(run: () => unknown): ApiError {
  try {
    run()
  } catch (err) {
    if (err instanceof ApiError) return err
    throw err
  }
  throw new Error('nothing was thrown')
}
