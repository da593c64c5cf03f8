import type { KindMap, ObjectMeta } from '../generated/types.ts'

export type Kind = keyof KindMap

/** What all kinds have in common. */
export interface ApiObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: ObjectMeta
}

type DeepPartial<T> = T extends readonly unknown[] ? T : T extends object ? { readonly [K in keyof T]?: DeepPartial<T[K]> } : T

/** What a caller sends on create: metadata with a name or a prefix for one, and of the rest only what it has to say; defaults do the rest. */
export type New<T extends ApiObject> = Pick<T, 'apiVersion' | 'kind'> &
  DeepPartial<Omit<T, 'apiVersion' | 'kind' | 'metadata' | 'status'>> & {
    readonly metadata: Partial<Omit<ObjectMeta, 'name' | 'generateName'>> &
      ({ readonly name: string } | { readonly name?: undefined; readonly generateName: string })
  }

declare const keyBrand: unique symbol
/** "namespace/name", or "name" for a cluster-scoped kind. A string, because Set and Map compare strings by value. */
export type ObjectKey = string & { readonly [keyBrand]: true }

export function keyOf(object: { readonly metadata: { readonly name: string; readonly namespace?: string | undefined } }): ObjectKey {
  return objectKey(object.metadata.namespace, object.metadata.name)
}

export function objectKey(namespace: string | undefined, name: string): ObjectKey {
  return (namespace === undefined ? name : `${namespace}/${name}`) as ObjectKey
}
