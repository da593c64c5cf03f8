import { findCondition } from '../api/conditions.ts'
import type { Process } from '../generated/types.ts'

export type Health = { readonly state: 'healthy' } | { readonly state: 'waiting' | 'failed'; readonly message: string }

/** These need somebody to do something. */
const FAILED: ReadonlySet<string> = new Set(['GaveUp', 'Failed', 'StartError'])

/** Whether a Process is what it should be by now. One that isn't wanted to run is. Pure. */
export function healthOf(process: Process): Health {
  const { metadata, spec, status } = process
  const name = `Process ${metadata.namespace}/${metadata.name}`
  if ((status?.observedGeneration ?? 0) < metadata.generation)
    return { state: 'waiting', message: `${name}: the server has yet to see the change` }
  if (spec.desiredState === 'Stopped' || spec.suspend || spec.replicas === 0) return { state: 'healthy' }
  if (findCondition(status?.conditions, 'Ready')?.status === 'True') return { state: 'healthy' }
  const reason = status?.reason ?? 'Pending'
  if (reason === 'Succeeded') return { state: 'healthy' }
  const message = `${name} is ${reason}${status?.message === undefined || status.message === '' ? '' : `: ${status.message}`}`
  return { state: FAILED.has(reason) ? 'failed' : 'waiting', message }
}
