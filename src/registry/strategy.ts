import type { ApiObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/scheme.ts'
import type { ApiError, Cause } from '../api/status.ts'

/** The few rules of a kind that its schema can't say. Pure; each method optional. */
export interface Strategy<T extends ApiObject> {
  /** Rewrites a body before it is looked at: one spelling for what may be spelt in several ways. Anything may be wrong with it yet. */
  normalize?(body: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>
  /** Fills in what the server says of a new object. */
  prepareForCreate?(next: T): T
  /** Puts back what an ordinary update must not touch. */
  prepareForUpdate?(next: T, prev: T): T
  /** One cause for each bad field. `next` satisfies the schema. */
  validate?(next: T, prev: T | undefined): readonly Cause[]
  /** Why this object can't be deleted; undefined when it can. */
  refuseDeletion?(definition: ResourceDefinition, object: T): ApiError | undefined
  /** What else a deletion does to an object that stays for a while. */
  prepareForDelete?(next: T): T
  /** Duties beside metadata.finalizers that keep a deleted object. */
  finalizers?(object: T): readonly string[]
}
