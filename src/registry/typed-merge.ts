import { schemaOfField } from '../api/structure.ts'
import { isJsonObject, type JsonObject, jsonEqual } from '../base/json.ts'
import { fieldElement, type PathElement, valueElement } from './field-path.ts'
import { EMPTY_SET, type FieldSet, fieldSet, LEAF_SET, union } from './field-set.ts'
import { granularityOf, isNamed, itemsOf, type Schema, shapeOf } from './granularity.ts'

/** What differs between two values. */
export interface Comparison {
  readonly added: FieldSet
  readonly removed: FieldSet
  readonly modified: FieldSet
}

export const SAME: Comparison = { added: EMPTY_SET, removed: EMPTY_SET, modified: EMPTY_SET }

/**
 * What a configuration says: each scalar and atomic node, each null and empty map, each item of a list with granular items,
 * each key of a map. Objects of which the schema names the fields are not said themselves, only what is in them.
 */
export function fieldsOf(schema: Schema, value: unknown): FieldSet {
  const shape = shapeOf(schema, value)
  switch (granularityOf(shape, value)) {
    case 'leaf':
      return LEAF_SET
    case 'set':
      return fieldSet(
        false,
        (value as readonly unknown[]).map((item) => [valueElement(item), LEAF_SET]),
      )
    case 'items':
      return fieldSet(
        false,
        [...itemsOf(shape, value)].map(([element, item]) => [element, { ...fieldsOf(shape?.items, item), member: true }]),
      )
    case 'fields':
      return fieldSet(
        false,
        Object.entries(value as JsonObject).map(([name, field]) => {
          const set = fieldsOf(shape && schemaOfField(shape, name), field)
          const said = !isNamed(shape, name) || field === null || (isJsonObject(field) && Object.keys(field).length === 0)
          return [fieldElement(name), said ? { ...set, member: true } : set]
        }),
      )
  }
}

/**
 * `live` with everything that `config` says. Values and atomic nodes are the config's; lists with granular items are united,
 * in the config's order as far as it goes. A null takes a value away; what is in an object or list of which the config says
 * null stays, see unsetEmptied. Gives back `live` itself when it already says it all.
 */
export function merge(schema: Schema, live: unknown, config: unknown): unknown {
  if (config === undefined || live === config) return live
  const shape = shapeOf(schema, config)
  const granularity = granularityOf(shape, config)
  if (granularity === 'fields') return mergeFields(shape, isJsonObject(live) ? live : undefined, config as JsonObject)
  if (granularity === 'leaf' || !Array.isArray(live)) return jsonEqual(live, config) ? live : withoutNulls(config)
  return mergeItems(shape, live, config as readonly unknown[])
}

/** What differs. Where one side is absent the node counts, with all that is below it. Other order of granular items is no difference. */
export function compare(schema: Schema, a: unknown, b: unknown): Comparison {
  if (a === b) return SAME
  if (a === undefined) return { ...SAME, added: everythingIn(schema, b) }
  if (b === undefined) return { ...SAME, removed: everythingIn(schema, a) }
  const shape = shapeOf(schema, a)
  const granularity = granularityOf(shape, a)
  if (granularity !== granularityOf(shapeOf(schema, b), b)) {
    const below = (value: unknown): FieldSet => ({ ...everythingIn(schema, value), member: false })
    return { removed: below(a), added: below(b), modified: LEAF_SET }
  }
  if (granularity === 'leaf') return jsonEqual(a, b) ? SAME : { ...SAME, modified: LEAF_SET }
  if (granularity === 'fields') return compareFields(shape, a as JsonObject, b as JsonObject)
  const left = itemsOf(shape, a)
  const right = itemsOf(shape, b)
  const results: [PathElement, Comparison][] = []
  for (const element of new Set([...left.keys(), ...right.keys()])) {
    results.push([element, compare(shape?.items, left.get(element), right.get(element))])
  }
  return collect(results)
}

/** The node and everything below it, objects and lists as such too. */
export function everythingIn(schema: Schema, value: unknown): FieldSet {
  const shape = shapeOf(schema, value)
  switch (granularityOf(shape, value)) {
    case 'leaf':
      return LEAF_SET
    case 'fields':
      return fieldSet(
        true,
        Object.entries(value as JsonObject)
          .filter(([, field]) => field !== undefined)
          .map(([name, field]) => [fieldElement(name), everythingIn(shape && schemaOfField(shape, name), field)]),
      )
    default:
      return fieldSet(
        true,
        [...itemsOf(shape, value)].map(([element, item]) => [element, everythingIn(shape?.items, item)]),
      )
  }
}

/** `value` without the objects and lists of which `config` says null, where nothing is left in them. */
export function unsetEmptied(schema: Schema, value: unknown, config: unknown): unknown {
  if (!isJsonObject(value) || !isJsonObject(config)) return unsetEmptiedItems(schema, value, config)
  const shape = shapeOf(schema, value)
  if (granularityOf(shape, value) === 'leaf') return value
  const result = new Map(Object.entries(value))
  let changed = false
  for (const [name, said] of Object.entries(config)) {
    const field = shape && schemaOfField(shape, name)
    const present = result.get(name)
    const next = said === null ? (isGranular(field, present) && isEmpty(present) ? undefined : present) : unsetEmptied(field, present, said)
    if (next === present) continue
    changed = true
    if (next === undefined) result.delete(name)
    else result.set(name, next)
  }
  return changed ? Object.fromEntries(result) : value
}

function unsetEmptiedItems(schema: Schema, value: unknown, config: unknown): unknown {
  const shape = shapeOf(schema, value)
  if (granularityOf(shape, value) !== 'items' || !Array.isArray(config)) return value
  const said = itemsOf(shape, config)
  const next = [...itemsOf(shape, value)].map(([element, item]) => unsetEmptied(shape?.items, item, said.get(element)))
  return next.every((item, index) => item === (value as readonly unknown[])[index]) ? value : next
}

function isGranular(schema: Schema, value: unknown): boolean {
  return granularityOf(shapeOf(schema, value), value) !== 'leaf'
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) ? value.length === 0 : isJsonObject(value) && Object.keys(value).length === 0
}

function mergeFields(shape: Schema, live: JsonObject | undefined, config: JsonObject): JsonObject {
  const result = new Map(Object.entries(live ?? {}))
  let changed = live === undefined
  for (const [name, said] of Object.entries(config)) {
    if (said === undefined) continue
    const present = result.get(name)
    const field = shape && schemaOfField(shape, name)
    if (said === null) {
      if (!isGranular(field, present)) changed = result.delete(name) || changed
      continue
    }
    const next = merge(field, present, said)
    if (next === present) continue
    result.set(name, next)
    changed = true
  }
  return live === undefined || changed ? Object.fromEntries(result) : live
}

/**
 * Items of both sides come in the config's order; those of one side only keep their places among their neighbours, the live
 * ones first where both would fit. Walks both lists at once: an item of both is passed over in the live list unless its turn in
 * the config's order has come.
 */
function mergeItems(shape: Schema, live: readonly unknown[], config: readonly unknown[]): readonly unknown[] {
  const liveItems = itemsOf(shape, live)
  const configItems = itemsOf(shape, config)
  const liveOrder = [...liveItems.keys()]
  const configOrder = [...configItems.keys()]
  const shared = configOrder.filter((element) => liveItems.has(element))
  const result: unknown[] = []
  let l = 0
  let c = 0
  let turn = 0
  const takeConfig = (element: PathElement): void => {
    result.push(merge(shape?.items, liveItems.get(element), configItems.get(element)))
    if (shared[turn] === element) turn++
    c++
  }
  while (l < liveOrder.length || c < configOrder.length) {
    const ofLive = liveOrder[l]
    const ofConfig = configOrder[c]
    if (ofLive !== undefined && !configItems.has(ofLive)) {
      result.push(liveItems.get(ofLive))
      l++
    } else if (ofLive !== undefined && (ofConfig === undefined || (ofLive !== ofConfig && ofLive !== shared[turn]))) {
      l++
    } else if (ofConfig !== undefined) {
      takeConfig(ofConfig)
      if (ofLive === ofConfig) l++
    }
  }
  return result.length === live.length && result.every((item, index) => item === live[index]) ? live : result
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (!isJsonObject(value)) return value
  const fields = Object.entries(value).filter(([, field]) => field !== null)
  return Object.fromEntries(fields.map(([name, field]) => [name, withoutNulls(field)]))
}

function compareFields(shape: Schema, a: JsonObject, b: JsonObject): Comparison {
  const results: [PathElement, Comparison][] = []
  const visit = (name: string): void => {
    if (a[name] !== b[name]) results.push([fieldElement(name), compare(shape && schemaOfField(shape, name), a[name], b[name])])
  }
  for (const name of Object.keys(a)) visit(name)
  for (const name of Object.keys(b)) if (!Object.hasOwn(a, name)) visit(name)
  return collect(results)
}

function collect(results: readonly (readonly [PathElement, Comparison])[]): Comparison {
  const differing = results.filter(([, result]) => result !== SAME)
  if (differing.length === 0) return SAME
  const part = (name: keyof Comparison): FieldSet =>
    fieldSet(
      false,
      differing.map(([element, result]) => [element, result[name]]),
    )
  return { added: part('added'), removed: part('removed'), modified: part('modified') }
}

/** Every path in which two values differ. */
export function differing(comparison: Comparison): FieldSet {
  return union(union(comparison.added, comparison.modified), comparison.removed)
}
