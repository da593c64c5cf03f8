import { schemaOfField } from '../api/structure.ts'
import { isJsonObject } from '../base/json.ts'
import type { PathElement } from './field-path.ts'
import { EMPTY_SET, type FieldSet, fieldSet, LEAF_SET, union } from './field-set.ts'
import { granularityOf, itemsOf, type Schema, shapeOf } from './granularity.ts'
import { fieldsOf } from './typed-merge.ts'

/**
 * What owners own by the schema of today, when an older version of the program had another one for the same fields. Who owned
 * parts of what is one value now owns the whole. Who owned the whole of what has parts now owns them all, as long as nobody
 * owns one of them. Gives back `sets` itself when nothing is to be done, which is soon known: see isSound.
 */
export function fitOwned(schema: Schema, value: unknown, sets: readonly FieldSet[]): readonly FieldSet[] {
  if (sets.every((set) => isSound(schema, set))) return sets
  const all = sets.reduce(union, EMPTY_SET)
  const fitted = sets.map((set) => fit(schema, value, set, all))
  return fitted.every((set, index) => set === sets[index]) ? sets : fitted
}

function fit(schema: Schema, value: unknown, set: FieldSet, all: FieldSet): FieldSet {
  const shape = shapeOf(schema, value)
  if (isFree(shape) || typeof value !== 'object' || value === null) return set
  if (granularityOf(shape, value) === 'leaf') return set.children.size > 0 ? LEAF_SET : set
  if (set.children.size === 0) return set.member && all.children.size === 0 ? union(set, fieldsOf(schema, value)) : set
  const children = [...set.children].map(([element, child]) => {
    const part = partOf(shape, value, element)
    return [element, fit(part.schema, part.value, child, all.children.get(element) ?? EMPTY_SET)] as const
  })
  return children.every(([element, child]) => child === set.children.get(element)) ? set : fieldSet(set.member, children)
}

function partOf(shape: Schema, value: unknown, element: PathElement): { readonly schema: Schema; readonly value: unknown } {
  if (!element.startsWith('f:'))
    return { schema: shape?.items, value: Array.isArray(value) ? itemsOf(shape, value).get(element) : undefined }
  const name = element.slice(2)
  return { schema: shape && schemaOfField(shape, name), value: isJsonObject(value) ? value[name] : undefined }
}

const sound = new WeakMap<FieldSet, Schema>()

/** Whether a set fits the schema whatever the value is. So do nearly all, and what is asked again and again is remembered. */
function isSound(schema: Schema, set: FieldSet): boolean {
  if (sound.get(set) === schema) return true
  const answer = isFree(schema) || fits(schema, set)
  if (answer && schema !== undefined) sound.set(set, schema)
  return answer
}

function fits(schema: Schema, set: FieldSet): boolean {
  if (schema?.oneOf !== undefined) return set.children.size === 0 && !schema.oneOf.some(isComposite)
  if (set.children.size === 0) return !set.member || !isComposite(schema)
  if (isAtomic(schema)) return false
  return [...set.children].every(([element, child]) => isSound(partOf(schema, undefined, element).schema, child))
}

function isComposite(schema: Schema): boolean {
  const type = schema?.['x-kubernetes-list-type']
  return type === 'set' || type === 'map' || ((schema?.properties ?? schema?.additionalProperties) !== undefined && !isAtomic(schema))
}

function isAtomic(schema: Schema): boolean {
  const listed = schema?.['x-kubernetes-list-type']
  return schema?.['x-kubernetes-map-type'] === 'atomic' || (schema?.type === 'array' && listed !== 'set' && listed !== 'map')
}

/** What has no schema of its own has none that could change. */
function isFree(schema: Schema): boolean {
  return schema === undefined || (schema['x-kubernetes-preserve-unknown-fields'] === true && schema.properties === undefined)
}
