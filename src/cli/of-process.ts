import { epochOf, type Timestamp } from '../base/clock.ts'
import type { Ref } from '../client/client.ts'
import type { Process } from '../generated/types.ts'

/** What belongs to a Process: its Instances, or its Revisions. */
export function selectionOf({ name, namespace }: Ref): { readonly fieldSelector: string; readonly namespace?: string } {
  return { fieldSelector: `spec.process=${name}`, ...(namespace !== undefined && { namespace }) }
}

/** Whether it is held now; a suspension may have ended by itself. */
export function isSuspended({ suspend, suspendUntil }: Pick<Process['spec'], 'suspend' | 'suspendUntil'>, now: Timestamp): boolean {
  return suspend && (suspendUntil === undefined || epochOf(suspendUntil) > epochOf(now))
}
