import { type ApiObject, keyOf, type ObjectKey, objectKey } from '../api/object.ts'
import { jsonEqual } from '../base/json.ts'
import type { ManifestSource, Process } from '../generated/types.ts'
import type { Change } from '../informer/informer.ts'
import { dependenciesOf, isReadyNow } from './dependencies.ts'
import { healthOf } from './health.ts'
import { isSameSource, ownerOf } from './ownership.ts'
import { CONFIRM_PRUNE_ANNOTATION, SYNC_REQUESTED_ANNOTATION } from './well-known.ts'

/** A source of which something else is asked: a status that was written asks for nothing. */
export function askedSources({ prev, next }: Change<ManifestSource>): readonly ObjectKey[] {
  const source = next ?? prev
  if (source === undefined || (prev !== undefined && next !== undefined && jsonEqual(askOf(prev), askOf(next)))) return []
  return [keyOf(source)]
}

function askOf({ metadata }: ManifestSource): readonly unknown[] {
  const { uid, generation, deletionTimestamp, finalizers, annotations } = metadata
  return [uid, generation, deletionTimestamp, finalizers, annotations?.[SYNC_REQUESTED_ANNOTATION], annotations?.[CONFIRM_PRUNE_ANNOTATION]]
}

/** Sources that wait for one that became ready, or isn't any more, or waits for something else. */
export function dependantsOf({ prev, next }: Change<ManifestSource>, sources: readonly ManifestSource[]): readonly ObjectKey[] {
  const source = next ?? prev
  if (source === undefined || (prev !== undefined && next !== undefined && jsonEqual(stateOf(prev), stateOf(next)))) return []
  const key = keyOf(source)
  return sources.filter((other) => dependenciesOf(other).includes(key)).map(keyOf)
}

function stateOf(source: ManifestSource): readonly unknown[] {
  return [source.metadata.uid, source.metadata.generation, isReadyNow(source), source.status?.reason]
}

/** Sources whose variables or credentials are in a ConfigMap or Secret that changed. */
export function usersOf({ prev, next }: Change<ApiObject>, sources: readonly ManifestSource[]): readonly ObjectKey[] {
  const object = next ?? prev
  if (object === undefined) return []
  const { kind, metadata } = object
  return sources
    .filter(
      ({ spec, metadata: { namespace } }) =>
        namespace === metadata.namespace &&
        ((spec.substitute?.from ?? []).some((from) => from.kind === kind && from.name === metadata.name) ||
          (kind === 'Secret' && [spec.git?.secretRef?.name, spec.git?.verify?.secretRef.name].includes(metadata.name))),
    )
    .map(keyOf)
}

export interface Keepers {
  /** Whether a source needn't look at an object that changed. */
  isLeftAlone(source: ObjectKey, id: string, object: ApiObject | undefined): boolean
  /** Sources that name an object which another one keeps. */
  contenders(id: string): readonly ObjectKey[]
  /** Whether a source waits for its Processes. */
  waits(source: ObjectKey): boolean
}

/** Sources whose object it was or is, if it isn't as they left it; of a Process, if it fares otherwise; and who else wants it. */
export function keepersOf({ prev, next, initial }: Change<ApiObject>, id: string, keepers: Keepers): readonly ObjectKey[] {
  // Each source is looked at when the server starts.
  if (initial) return []
  const before = prev === undefined ? undefined : ownerOf(prev)
  const after = next === undefined ? undefined : ownerOf(next)
  const owners = new Set([before, after].flatMap((owner) => (owner === undefined ? [] : [objectKey(owner.namespace, owner.name)])))
  const changed = [...owners].filter((key) => !keepers.isLeftAlone(key, id, next) || (keepers.waits(key) && isOtherHealth(prev, next)))
  const isFree = before !== undefined && (after === undefined || !isSameSource(before, after))
  return isFree ? [...changed, ...keepers.contenders(id)] : changed
}

function isOtherHealth(prev: ApiObject | undefined, next: ApiObject | undefined): boolean {
  if (next?.kind !== 'Process') return false
  return prev === undefined || !jsonEqual(healthOf(prev as Process), healthOf(next as Process))
}
