import type { ResourceDefinition } from '../api/scheme.ts'
import { BoundedMap } from '../base/bounded-map.ts'
import { deepFreeze } from '../base/json.ts'
import type { ManagedFieldsEntry } from '../generated/types.ts'
import { fieldElement } from './field-path.ts'
import {
  canonicalSet,
  difference,
  EMPTY_SET,
  equalSets,
  type FieldSet,
  fieldSet,
  fromFieldsV1,
  isCanonical,
  isEmptySet,
  LEAF_SET,
  toFieldsV1,
  union,
} from './field-set.ts'

/** Somebody who owns fields, one entry of managedFields. */
export interface Owner {
  readonly manager: string
  readonly operation: 'Apply' | 'Update'
  readonly apiVersion: string
  readonly subresource?: string
  readonly time?: string
  readonly fields: FieldSet
}

/** More entries of the sort Update are merged into one: each `kubectl edit` under a name of its own would stay for ever. */
const MAX_UPDATERS = 10
const ANCIENT = 'ancient-changes'

/** The owners that a list says; undefined for a malformed one. An absent list has none. */
export function decodeOwners(entries: unknown): readonly Owner[] | undefined {
  if (entries === undefined || entries === null) return []
  if (!Array.isArray(entries)) return undefined
  const owners: Owner[] = []
  for (const entry of entries as readonly ManagedFieldsEntry[]) {
    const owner = decodeOwner(entry)
    if (owner === undefined) return undefined
    const twin = owners.findIndex((other) => isSameOwner(other, owner))
    if (twin < 0) owners.push(owner)
    else owners[twin] = { ...owner, fields: union(owner.fields, owners[twin]?.fields ?? EMPTY_SET) }
  }
  return owners
}

/** The list for these owners: sorted, capped, without those that own nothing. Undefined for an empty one. */
export function encodeOwners(owners: readonly Owner[]): readonly ManagedFieldsEntry[] | undefined {
  const kept = capUpdaters(owners.filter(({ fields }) => !isEmptySet(fields)))
  if (kept.length === 0) return undefined
  return kept.sort(compareOwners).map(encodeOwner)
}

/** Apply entries of one manager are one whatever their API version, Update entries are not. */
export function isSameOwner(a: Omit<Owner, 'fields'>, b: Omit<Owner, 'fields'>): boolean {
  return (
    a.manager === b.manager &&
    a.operation === b.operation &&
    (a.subresource ?? '') === (b.subresource ?? '') &&
    (a.operation === 'Apply' || a.apiVersion === b.apiVersion)
  )
}

/** Whether two lists say that the same fields belong to the same owners; times don't count. */
export function isSameOwnership(a: readonly Owner[], b: readonly Owner[]): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  return a.every((owner) => {
    const other = b.find((candidate) => isSameOwner(candidate, owner))
    return other !== undefined && other.apiVersion === owner.apiVersion && equalSets(other.fields, owner.fields)
  })
}

/** What nobody owns: it belongs to the server or is the identity of the object. */
const NEVER_OWNED: FieldSet = fieldSet(false, [
  [fieldElement('apiVersion'), LEAF_SET],
  [fieldElement('kind'), LEAF_SET],
  [
    fieldElement('metadata'),
    fieldSet(
      true,
      ['name', 'namespace', 'uid', 'resourceVersion', 'generation', 'creationTimestamp', 'selfLink', 'managedFields'].map((name) => [
        fieldElement(name),
        LEAF_SET,
      ]),
    ),
  ],
])
const STATUS = fieldElement('status')

/** Of a set the fields that a write of this sort may own: the status through `/status` only, where there is one. */
export function ownable(definition: ResourceDefinition, fields: FieldSet, subresource: string | undefined): FieldSet {
  const owned = difference(fields, NEVER_OWNED)
  const status = owned.children.get(STATUS)
  if (subresource === 'status') return status === undefined ? EMPTY_SET : fieldSet(false, [[STATUS, status]])
  if (status === undefined || definition.subresources.status === undefined) return owned
  return fieldSet(
    owned.member,
    [...owned.children].filter(([element]) => element !== STATUS),
  )
}

/** Of sets that many objects have, and of those that one object has and that were read or written lately. */
const decoded = new WeakMap<object, FieldSet>()
const decodedLately = new BoundedMap<object, FieldSet>(2_048)
const OPERATIONS: readonly unknown[] = ['Apply', 'Update']

function decodeOwner(entry: ManagedFieldsEntry): Owner | undefined {
  const { manager = '', operation, apiVersion = '', subresource, time, fieldsType, fieldsV1 } = entry ?? {}
  if (!OPERATIONS.includes(operation) || fieldsType !== 'FieldsV1' || typeof manager !== 'string') return undefined
  if (typeof apiVersion !== 'string' || apiVersion === '') return undefined
  const known = typeof fieldsV1 === 'object' && fieldsV1 !== null ? (decoded.get(fieldsV1) ?? decodedLately.get(fieldsV1)) : undefined
  const fields = known ?? (fieldsV1 === undefined ? EMPTY_SET : fromFieldsV1(fieldsV1))
  if (fields === undefined) return undefined
  // What is frozen can't change under the set that was made of it.
  if (known === undefined && fieldsV1 !== undefined && Object.isFrozen(fieldsV1)) decodedLately.set(fieldsV1, fields)
  const owner: Owner = {
    manager,
    operation: operation as Owner['operation'],
    apiVersion,
    ...(subresource === undefined || subresource === '' ? {} : { subresource }),
    ...(time === undefined ? {} : { time }),
    fields,
  }
  if (Object.isFrozen(entry)) entries.set(owner, entry)
  return owner
}

/** What owners that were read from a stored object were read from: unchanged, they are written as they were. */
const entries = new WeakMap<Owner, ManagedFieldsEntry>()

const encoded = new WeakMap<FieldSet, NonNullable<ManagedFieldsEntry['fieldsV1']>>()

function encodeOwner(owner: Owner): ManagedFieldsEntry {
  const known = entries.get(owner)
  if (known !== undefined) return known
  const { manager, operation, apiVersion, subresource, time } = owner
  const fields = canonicalSet(owner.fields)
  let fieldsV1 = encoded.get(fields)
  if (fieldsV1 === undefined) {
    fieldsV1 = deepFreeze(toFieldsV1(fields)) as NonNullable<ManagedFieldsEntry['fieldsV1']>
    if (isCanonical(fields)) {
      encoded.set(fields, fieldsV1)
      decoded.set(fieldsV1, fields)
    } else {
      decodedLately.set(fieldsV1, fields)
    }
  }
  return {
    manager,
    operation,
    apiVersion,
    ...(time === undefined ? {} : { time }),
    fieldsType: 'FieldsV1',
    fieldsV1,
    ...(subresource === undefined ? {} : { subresource }),
  }
}

function compareOwners(a: Owner, b: Owner): number {
  return (
    order(a.operation, b.operation) ||
    order(a.time ?? '', b.time ?? '') ||
    order(a.manager, b.manager) ||
    order(a.apiVersion, b.apiVersion) ||
    order(a.subresource ?? '', b.subresource ?? '')
  )
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Merges the oldest updaters into one for each API version, oldest first, until few enough are left. */
function capUpdaters(owners: readonly Owner[]): Owner[] {
  const updaters = owners.filter(({ operation }) => operation === 'Update').sort(compareOwners)
  let excess = updaters.length - MAX_UPDATERS
  const result = new Set(owners)
  /** By API version the one that others are merged into: what was merged before, else the oldest of all. */
  const merged = new Map(updaters.filter(isAncient).map((owner) => [owner.apiVersion, owner]))
  for (const owner of updaters) {
    if (excess <= 0) break
    const { apiVersion } = owner
    const into = merged.get(apiVersion)
    if (into === undefined) merged.set(apiVersion, owner)
    if (into === undefined || isAncient(owner)) continue
    result.delete(into)
    result.delete(owner)
    const fields = union(into.fields, owner.fields)
    const time = order(into.time ?? '', owner.time ?? '') > 0 ? into.time : owner.time
    const ancient: Owner = { manager: ANCIENT, operation: 'Update', apiVersion, ...(time === undefined ? {} : { time }), fields }
    result.add(ancient)
    merged.set(apiVersion, ancient)
    excess -= 1
  }
  return [...result]
}

function isAncient({ manager, subresource }: Owner): boolean {
  return manager === ANCIENT && subresource === undefined
}

/** Whether a set of fields, as it is stored, is one that many objects have. */
export function isSharedFields(fieldsV1: object): boolean {
  return decoded.has(fieldsV1)
}
