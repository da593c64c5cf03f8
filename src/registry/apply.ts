import { duplicateField, invalidObject, requiredField } from '../api/field-errors.ts'
import { findDuplicates, findKeyless } from '../api/list-duplicates.ts'
import type { ApiObject } from '../api/object.ts'
import { formatPath } from '../api/schema-path.ts'
import type { ResourceDefinition } from '../api/scheme.ts'
import { apiError, type Cause } from '../api/status.ts'
import { structure } from '../api/structure.ts'
import { BoundedMap } from '../base/bounded-map.ts'
import { wholeSeconds } from '../base/clock.ts'
import { isJsonObject, type JsonObject, jsonEqual } from '../base/json.ts'
import type { ManagedFieldsEntry } from '../generated/types.ts'
import { applyConflict, type Conflict } from './apply-conflict.ts'
import { difference, EMPTY_SET, type FieldSet, intersection, isEmptySet, union } from './field-set.ts'
import { lastAppliedFields, withLastApplied } from './kubectl-last-applied.ts'
import { decodeOwners, encodeOwners, isSameOwner, isSameOwnership, type Owner, ownable } from './managed-fields.ts'
import { prune } from './prune.ts'
import { fitOwned } from './schema-change.ts'
import { compare, differing, everythingIn, fieldsOf, merge, SAME, unsetEmptied } from './typed-merge.ts'

export interface ApplyOptions {
  readonly definition: ResourceDefinition
  /** What is stored; undefined when the object is to be created. */
  readonly live: ApiObject | undefined
  /** What decodeConfiguration gave, in the normal form of its kind. */
  readonly config: object
  readonly manager: string
  /** Takes fields over from others instead of failing. */
  readonly force: boolean
  readonly subresource?: 'status' | 'scale'
  readonly now: string
}

export interface UpdateOptions {
  readonly definition: ResourceDefinition
  /** What is stored; undefined for a new object. */
  readonly live: ApiObject | undefined
  /** The object as it is to be stored, complete and valid. Its managedFields are those that the client sent, if it sent any. */
  readonly result: ApiObject
  readonly manager: string
  readonly subresource?: 'status' | 'scale'
  readonly now: string
}

/** Owner of everything that was there before the first apply to an object without owners. */
const BEFORE_FIRST_APPLY = 'before-first-apply'
/** The manager for which what a client-side apply has written may be taken over without force. */
const KUBECTL = 'kubectl'
/** Metadata that a configuration may carry, as a condition or by mistake, and that isn't its to set. */
const NOT_APPLIED = ['uid', 'resourceVersion', 'generation', 'creationTimestamp', 'selfLink', 'managedFields']

/**
 * Server-side apply: the object that `live` becomes when `manager` says `config`, with its defaults and the owners of its
 * fields, but not validated. Gives back `live` itself when nothing changes. Throws ApiError: Conflict when others own fields
 * with other values and there is no force, BadRequest for managedFields in the configuration, Invalid for items that are
 * there twice or without their keys.
 */
export function applyConfiguration(options: ApplyOptions): ApiObject {
  const { definition, live, manager, subresource } = options
  const config = checkConfiguration(options)
  const { schema } = definition
  const base = live === undefined ? { apiVersion: definition.apiVersion, kind: definition.kind } : withoutManagedFields(live)
  const owners = live === undefined ? [] : ownersBeforeApply(options, live, base)
  const self: Omit<Owner, 'fields'> = {
    manager,
    operation: 'Apply',
    apiVersion: definition.apiVersion,
    ...(subresource === undefined ? {} : { subresource }),
  }
  const previous = owners.find((owner) => isSameOwner(owner, self))
  const others = owners.filter((owner) => owner !== previous)
  const fields = ownable(definition, fieldsOf(schema, config), subresource)
  // Lists and objects that are said to be there stay, even when they are empty: what is applied again must change nothing.
  const kept = others.reduce((set, owner) => union(set, owner.fields), everythingIn(schema, config))
  const pruned = prune(schema, merge(schema, base, config), previous?.fields ?? EMPTY_SET, kept)
  const next = structure(schema, unsetEmptied(schema, pruned, config), { defaults: true, nulls: 'drop' }) as JsonObject

  const comparison = compare(schema, base, next)
  // What the configuration says and is gone is what it says null of.
  const written = union(union(comparison.added, comparison.modified), intersection(comparison.removed, fields))
  refuseConflicts(options, base, others, written)
  const lost = differing(comparison)
  const remaining = others.map((owner) => loseFields(owner, lost)).filter((owner) => !isEmptySet(owner.fields))
  const own = isEmptySet(fields) ? [] : [{ ...self, fields, time: wholeSeconds(options.now) }]
  const same = comparison === SAME && jsonEqual(next, base)
  const unchanged = live !== undefined && same && isSameOwnership([...remaining, ...own], liveOwners(definition, live))
  const result = unchanged ? live : withManagedFields((same ? base : next) as unknown as ApiObject, encodeOwners([...remaining, ...own]))
  return manager === KUBECTL && subresource === undefined ? withLastApplied(result, config) : result
}

/**
 * The object with the owners of its fields after an ordinary write: what changed belongs to `manager` from now on, and to nobody
 * else. Cheap when little changed; gives back `result` itself when there is nothing to add to it.
 */
export function trackUpdate(options: UpdateOptions): ApiObject {
  const { definition, live, result, manager, subresource } = options
  const { owners, entries } = ownersBeforeUpdate(options)
  // Without owners an object stays so until the first apply: somebody took them away on purpose.
  if (owners.length === 0 && live !== undefined) return withManagedFields(result, undefined)
  const base = live === undefined ? { apiVersion: definition.apiVersion, kind: definition.kind } : withoutManagedFields(live)
  const comparison = compare(definition.schema, base, withoutManagedFields(result))
  const changed = ownable(definition, differing(comparison), subresource)
  if (isEmptySet(changed)) return withManagedFields(result, entries ?? encodeOwners(owners))
  const self: Omit<Owner, 'fields'> = {
    manager,
    operation: 'Update',
    apiVersion: definition.apiVersion,
    ...(subresource === undefined ? {} : { subresource }),
  }
  const written = ownable(definition, union(comparison.added, comparison.modified), subresource)
  let found = false
  const next = owners.map((owner) => {
    if (!isSameOwner(owner, self)) return loseFields(owner, changed)
    found = true
    const fields = union(difference(owner.fields, comparison.removed), written)
    return isEmptySet(written) ? { ...owner, fields } : { ...owner, fields, time: wholeSeconds(options.now) }
  })
  if (!found) next.push({ ...self, fields: written, time: wholeSeconds(options.now) })
  return withManagedFields(result, encodeOwners(next))
}

function checkConfiguration({ definition, config, subresource }: ApplyOptions): JsonObject {
  const { metadata, status, ...rest } = config as JsonObject
  const given = isJsonObject(metadata) ? metadata : {}
  if (Array.isArray(given.managedFields) ? given.managedFields.length > 0 : (given.managedFields ?? null) !== null) {
    throw apiError('BadRequest', 'metadata.managedFields must be nil: leave it out of what is applied')
  }
  const said = Object.fromEntries(Object.entries(given).filter(([name]) => !NOT_APPLIED.includes(name)))
  const withStatus = status !== undefined && (subresource === 'status' || definition.subresources.status === undefined)
  const { apiVersion, kind } = definition
  const { name, namespace } = given
  const named = { ...(name === undefined ? {} : { name }), ...(namespace === undefined ? {} : { namespace }) }
  const applied: JsonObject =
    subresource === 'status'
      ? { apiVersion, kind, metadata: named, ...(withStatus ? { status } : {}) }
      : { ...rest, metadata: said, ...(withStatus ? { status } : {}) }
  const causes: Cause[] = []
  const { schema } = definition
  findKeyless(schema, applied, [], (path) => causes.push(requiredField(formatPath(schema, path))))
  findDuplicates(schema, applied, [], (path, value) => causes.push(duplicateField(formatPath(schema, path), value)))
  if (causes.length > 0) throw invalidObject(definition, typeof name === 'string' ? name : '', causes)
  return applied
}

/** An apply to the status finds its fields owned too: else it would change without a word what was there before. */
function ownersBeforeApply({ definition, now, subresource }: ApplyOptions, live: ApiObject, base: JsonObject): readonly Owner[] {
  const owners = liveOwners(definition, live)
  if (owners.length > 0) return owners
  const { apiVersion, kind } = definition
  const present = differing(compare(definition.schema, { apiVersion, kind }, base))
  const before: Omit<Owner, 'fields'> = { manager: BEFORE_FIRST_APPLY, operation: 'Update', apiVersion, time: wholeSeconds(now) }
  const main: Owner = { ...before, fields: ownable(definition, present, undefined) }
  return subresource === 'status' ? [main, { ...before, subresource, fields: ownable(definition, present, subresource) }] : [main]
}

interface Recorded {
  readonly owners: readonly Owner[]
  /** The list that says just this, where it may be kept as it is. */
  readonly entries?: readonly ManagedFieldsEntry[] | undefined
}

/** The owners that a client sent along, if it may and they can be read; else the stored ones. */
function ownersBeforeUpdate({ definition, live, result, subresource }: UpdateOptions): Recorded {
  const sent = result.metadata.managedFields
  const stored = live?.metadata.managedFields
  if (subresource === undefined && sent !== undefined && !jsonEqual(sent, stored)) {
    // An empty list takes all of them away, and so does a single empty entry. Who doesn't know the field leaves it out.
    const [first, ...others] = sent
    if (others.length === 0 && (first === undefined || Object.keys(first).length === 0)) return { owners: [] }
    const owners = decodeOwners(sent)
    if (owners !== undefined) return { owners }
  }
  return live === undefined ? { owners: [] } : { owners: liveOwners(definition, live), entries: stored }
}

const NONE: readonly ManagedFieldsEntry[] = []
/** Of the objects that are being written at the time, again and again. */
const storedOwners = new BoundedMap<readonly ManagedFieldsEntry[], readonly Owner[]>(2_048)

/** The owners of a stored object, by the schema of today. A list that can't be read counts as none. Read once for each stored list. */
function liveOwners({ schema }: ResourceDefinition, live: ApiObject): readonly Owner[] {
  const entries = live.metadata.managedFields ?? NONE
  const known = storedOwners.get(entries)
  if (known !== undefined) return known
  const stored = decodeOwners(entries) ?? []
  const sets = stored.map(({ fields }) => fields)
  const fitted = fitOwned(schema, live, sets)
  const owners = fitted === sets ? stored : stored.map((owner, index) => ({ ...owner, fields: fitted[index] ?? owner.fields }))
  if (Object.isFrozen(entries)) storedOwners.set(entries, owners)
  return owners
}

function refuseConflicts(
  { definition, force, manager, subresource }: ApplyOptions,
  base: JsonObject,
  others: readonly Owner[],
  written: FieldSet,
): void {
  if (force) return
  const conflicts: Conflict[] = others
    .map((owner) => ({ owner, fields: intersection(owner.fields, written) }))
    .filter(({ fields }) => !isEmptySet(fields))
  if (conflicts.length === 0) return
  if (manager !== KUBECTL || subresource !== undefined) throw applyConflict(conflicts)
  const forgiven = lastAppliedFields(definition, base)
  const rest = conflicts
    .map(({ owner, fields }) => ({ owner, fields: difference(fields, forgiven) }))
    .filter(({ fields }) => !isEmptySet(fields))
  if (rest.length > 0) throw applyConflict(rest)
}

function loseFields(owner: Owner, lost: FieldSet): Owner {
  const fields = difference(owner.fields, lost)
  return fields === owner.fields ? owner : { ...owner, fields }
}

function withoutManagedFields(object: ApiObject): JsonObject {
  const { managedFields, ...metadata } = object.metadata
  return (managedFields === undefined ? object : { ...object, metadata }) as unknown as JsonObject
}

function withManagedFields(object: ApiObject, managedFields: readonly ManagedFieldsEntry[] | undefined): ApiObject {
  if (object.metadata?.managedFields === managedFields) return object
  const { managedFields: _, ...metadata } = object.metadata
  return { ...object, metadata: managedFields === undefined ? metadata : { ...metadata, managedFields } } as ApiObject
}
