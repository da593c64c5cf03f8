import type { Probe } from '../generated/types.ts'
import type { ProbeResult } from '../probe/probe.ts'
import type { ProbeName, ProbeVerdict } from './situation.ts'

/** How a probe has gone since the run began. */
export interface ProbeCounts {
  readonly successes: number
  readonly failures: number
  readonly verdict: ProbeVerdict | undefined
}

export const noCounts: ProbeCounts = { successes: 0, failures: 0, verdict: undefined }

/** Kubernetes' rule: so many in a row turn the verdict, and until then it stays. */
export function counted(probe: Probe, name: ProbeName, counts: ProbeCounts, result: ProbeResult): ProbeCounts {
  if (!result.ok) {
    const failures = counts.failures + 1
    const verdict = failures >= probe.failureThreshold ? { passing: false, message: result.message } : counts.verdict
    return { successes: 0, failures, verdict }
  }
  const successes = counts.successes + 1
  const needed = name === 'readiness' ? probe.successThreshold : 1
  return { successes, failures: 0, verdict: successes >= needed ? { passing: true, message: '' } : counts.verdict }
}
