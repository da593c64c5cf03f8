import type { Instance, ProcessTemplate } from '../generated/types.ts'
import type { InstanceRecord } from '../runtime/runtime.ts'

/** How to stop a program of which nothing is known but that it must go. */
const STRAY_TEMPLATE: ProcessTemplate = {
  interpreter: ['/bin/sh', '-ec'],
  searchPath: ['/usr/bin', '/bin'],
  workingDir: '/',
  startDelay: '0s',
  minReadySeconds: 0,
  restartPolicy: 'Never',
  successExitCodes: [0],
  backoff: { initial: '200ms', factor: 2, max: '1m', jitter: 0, resetAfter: '10s' },
  restartLimit: { count: 0, window: '1m', action: 'GiveUp' },
  stopSignal: 'TERM',
  terminationGracePeriodSeconds: 10,
  killScope: 'Tree',
  logs: { maxSize: '50Mi', maxFiles: 5, compress: true, mergeStderr: true },
}

/** A stand-in for an object that is gone although its program may not be: it says to stop and forget. */
export function strayInstance(record: InstanceRecord, last: Instance | undefined, now: string): Instance {
  if (last !== undefined) {
    return { ...last, metadata: { ...last.metadata, deletionTimestamp: last.metadata.deletionTimestamp ?? now } }
  }
  return {
    apiVersion: 'pmk.dev/v1',
    kind: 'Instance',
    metadata: {
      name: record.instance,
      uid: record.instance,
      resourceVersion: '0',
      generation: 0,
      creationTimestamp: now,
      deletionTimestamp: now,
    },
    spec: { process: '', index: 0, nodeName: '', revision: '', desiredState: 'Stopped', suspend: false, template: STRAY_TEMPLATE },
  }
}
