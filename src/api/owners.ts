import type { OwnerReference } from '../generated/types.ts'
import type { ApiObject } from './object.ts'

type Owned = { readonly metadata: Pick<ApiObject['metadata'], 'ownerReferences'> }

/** The one owner that reconciles the object; undefined when there is none. */
export function controllerOf(object: Owned): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find(({ controller }) => controller === true)
}

/** A reference that makes `owner` the controller of whatever carries it. A foreground deletion of the owner waits for that. */
export function ownerReferenceTo(owner: ApiObject): OwnerReference {
  const { apiVersion, kind, metadata } = owner
  return { apiVersion, kind, name: metadata.name, uid: metadata.uid, controller: true, blockOwnerDeletion: true }
}

/** By uid: a new object of the same name is another one. */
export function isOwnedBy(object: Owned, owner: { readonly metadata: { readonly uid: string } }): boolean {
  return object.metadata.ownerReferences?.some(({ uid }) => uid === owner.metadata.uid) ?? false
}

/** Whether `owner` is the one that reconciles the object. */
export function isControlledBy(object: Owned, owner: { readonly metadata: { readonly uid: string } }): boolean {
  return controllerOf(object)?.uid === owner.metadata.uid
}
