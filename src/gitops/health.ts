import { findCondition } from '../api/conditions.ts'
import type { ObjectKey } from '../api/object.ts'
import type { Process } from '../generated/types.ts'
import type { Desired } from './desired.ts'
import type { Verified } from './verified.ts'

export type Health = { readonly state: 'healthy' } | Unwell
export type Unwell = { readonly state: 'waiting' | 'failed'; readonly message: string }

/** These need somebody to do something. */
const FAILED: ReadonlySet<string> = new Set(['GaveUp', 'Failed', 'StartError'])

/** Whether a Process is what it should be by now. One that isn't wanted to run is. Pure. */
export function healthOf(process: Process): Health {
  const { metadata, spec, status } = process
  const name = `Process ${metadata.namespace}/${metadata.name}`
  if ((status?.observedGeneration ?? 0) < metadata.generation)
    return { state: 'waiting', message: `${name}: the server has yet to see the change` }
  if (spec.desiredState === 'Stopped' || spec.suspend || spec.replicas === 0) return { state: 'healthy' }
  if (findCondition(status?.conditions, 'Ready')?.status === 'True') {
    // Ready for as long as its owner asks: a program that ends right after its start is Ready for a moment.
    if ((status?.availableReplicas ?? 0) >= spec.replicas) return { state: 'healthy' }
    return { state: 'waiting', message: `${name} is Ready, and not yet for minReadySeconds, ${spec.minReadySeconds}` }
  }
  const reason = status?.reason ?? 'Pending'
  if (reason === 'Succeeded') return { state: 'healthy' }
  const message = `${name} is ${reason}${status?.message === undefined || status.message === '' ? '' : `: ${status.message}`}`
  if (!FAILED.has(reason)) return { state: 'waiting', message }
  const namespace = metadata.namespace === 'default' ? '' : ` -n ${metadata.namespace}`
  return { state: 'failed', message: `${message}; see pmk why ${metadata.name}${namespace}` }
}

/** The first Process that is not well, failed ones first. A cache that is behind what was applied shows no health. */
export function findUnwell(
  desired: readonly Desired[],
  verified: Verified,
  find: (key: ObjectKey) => Process | undefined,
): Unwell | undefined {
  let waiting: Unwell | undefined
  for (const { id, key, placed } of desired) {
    if (placed.manifest.definition.kind !== 'Process') continue
    const process = find(key)
    const mark = verified.markOf(id)
    const isBehind =
      process === undefined || (mark !== undefined && (process.metadata.uid !== mark.uid || process.metadata.generation < mark.generation))
    const health: Health = isBehind ? { state: 'waiting', message: `Process ${key} is not there yet` } : healthOf(process)
    if (health.state === 'failed') return health
    if (health.state === 'waiting') waiting ??= health
  }
  return waiting
}
