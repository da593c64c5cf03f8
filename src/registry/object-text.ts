import type { ApiObject } from '../api/object.ts'
import type { ManagedFieldsEntry } from '../generated/types.ts'
import { isSharedFields } from './managed-fields.ts'

/** What each stored object was read from or written as: the text in the store, which has no resourceVersion. */
const stored = new WeakMap<ApiObject, string>()

/** The text to store: identity and metadata first, so that the resourceVersion can be put in later without writing it all anew. */
export function storedTextOf({ apiVersion, kind, metadata, ...content }: ApiObject): string {
  const { resourceVersion: _, managedFields, ...rest } = metadata
  const head = JSON.stringify({ apiVersion, kind, metadata: rest })
  const owners = managedFields === undefined ? '' : `,"managedFields":[${managedFields.map(ownerText).join(',')}]`
  const tail = JSON.stringify(content)
  return `${head.slice(0, -2)}${owners}}${tail === '{}' ? '}' : `,${tail.slice(1)}`}`
}

/** Texts of sets of fields, which many objects share. */
const fieldsTexts = new WeakMap<object, string>()

/** The fields of an entry in the order of Kubernetes, in which the subresource comes last. */
function ownerText(entry: ManagedFieldsEntry): string {
  const { fieldsV1, subresource, ...owner } = entry
  if (fieldsV1 === undefined) return JSON.stringify(entry)
  const text = JSON.stringify(owner)
  let fields = fieldsTexts.get(fieldsV1)
  if (fields === undefined) {
    fields = JSON.stringify(fieldsV1)
    if (isSharedFields(fieldsV1)) fieldsTexts.set(fieldsV1, fields)
  }
  const head = text === '{}' ? '{' : `${text.slice(0, -1)},`
  return `${head}"fieldsV1":${fields}${subresource === undefined ? '' : `,"subresource":${JSON.stringify(subresource)}`}}`
}

/** Says that `text` is what the store holds of this frozen object. */
export function rememberText(object: ApiObject, text: string): void {
  if (text.startsWith(headOf(object))) stored.set(object, text)
}

/** Says that `object` differs from the stored `from` in nothing but its resourceVersion. */
export function rememberVersion(object: ApiObject, from: ApiObject): void {
  const text = stored.get(from)
  if (text !== undefined) stored.set(object, text)
}

/** The JSON of an object. Of a stored one it is the stored text with the resourceVersion in it, however often it is asked for. */
export function jsonOf(object: ApiObject): string {
  const text = stored.get(object)
  if (text === undefined) return JSON.stringify(object)
  const head = headOf(object)
  return `${head}"resourceVersion":"${object.metadata.resourceVersion}",${text.slice(head.length)}`
}

function headOf({ apiVersion, kind }: ApiObject): string {
  return `{"apiVersion":"${apiVersion}","kind":"${kind}","metadata":{`
}
