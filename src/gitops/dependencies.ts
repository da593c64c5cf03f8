import { findCondition } from '../api/conditions.ts'
import { keyOf, type ObjectKey, objectKey } from '../api/object.ts'
import type { ManifestSource } from '../generated/types.ts'

export interface Obstacle {
  readonly reason: 'DependencyNotReady' | 'DependencyCycle'
  readonly message: string
}

type Find = (key: ObjectKey) => ManifestSource | undefined

/** Why a source must wait for another one, if so. Pure. */
export function obstacleOf(source: ManifestSource, find: Find): Obstacle | undefined {
  const cycle = cycleFrom(source, find)
  if (cycle !== undefined)
    return { reason: 'DependencyCycle', message: `waits for itself: ${cycle.join(' → ')}; take one of these out of spec.dependsOn` }
  for (const key of dependenciesOf(source)) {
    const other = find(key)
    const named = `ManifestSource ${key}`
    if (other === undefined) return { reason: 'DependencyNotReady', message: `waits for ${named}, which is not there` }
    if (isReadyNow(other)) continue
    const { reason, message } = other.status ?? {}
    // What that one waits for is told there: a chain of sources would repeat it at each link.
    const why = reason === undefined ? '' : `, which is ${reason}${isWaiting(reason) || !message ? '' : `: ${message}`}`
    return { reason: 'DependencyNotReady', message: `waits for ${named}${why}` }
  }
  return undefined
}

/** Whether all of its newest spec is applied. */
export function isReadyNow({ status, metadata }: ManifestSource): boolean {
  const ready = findCondition(status?.conditions, 'Ready')
  return ready?.status === 'True' && ready.observedGeneration === metadata.generation
}

export function dependenciesOf({ spec, metadata }: ManifestSource): readonly ObjectKey[] {
  return (spec.dependsOn ?? []).map(({ name, namespace = metadata.namespace }) => objectKey(namespace, name))
}

function isWaiting(reason: string): boolean {
  return reason === 'DependencyNotReady' || reason === 'DependencyCycle'
}

/** The way from a source back to itself, if there is one. */
function cycleFrom(source: ManifestSource, find: Find): readonly ObjectKey[] | undefined {
  const start = keyOf(source)
  const seen = new Set<ObjectKey>()
  const walk = (from: ManifestSource, path: readonly ObjectKey[]): readonly ObjectKey[] | undefined => {
    for (const key of dependenciesOf(from)) {
      if (key === start) return [...path, key]
      if (seen.has(key)) continue
      seen.add(key)
      const other = find(key)
      const found = other === undefined ? undefined : walk(other, [...path, key])
      if (found !== undefined) return found
    }
    return undefined
  }
  return walk(source, [start])
}
