import { isAbort } from '../base/abort.ts'
import type { Clock, Millis } from '../base/clock.ts'
import { jsonEqual } from '../base/json.ts'
import type { Logger } from '../base/log.ts'
import type { Probe, ProcessTemplate } from '../generated/types.ts'
import type { ProbeResult } from '../probe/probe.ts'
import { chance } from './backoff.ts'
import type { ProbeName, ProbeVerdict } from './situation.ts'
import { counted, noCounts, type ProbeCounts } from './thresholds.ts'

/** Makes one attempt of a probe against the run. */
export type Attempt = (probe: Probe, signal: AbortSignal) => Promise<ProbeResult>

export interface ProbeTarget {
  readonly attempt: number
  /** Of the run, on the monotonic clock. */
  readonly startedAt: Millis
  readonly template: ProcessTemplate
  readonly probing: readonly ProbeName[]
}

interface Loop {
  readonly probe: Probe
  readonly controller: AbortController
}

/** A run that began so long ago was not started just now: its probes spread out, so that a restarted agent has no rush. */
const JUST_STARTED: Millis = 2_000

/**
 * The probes of one Instance. Each has timers of its own, so that a hanging one delays no other; none overlaps with itself. What
 * they have found belongs to one run and goes with it.
 */
export class ProbeWorker {
  readonly #options: {
    readonly uid: string
    readonly clock: Clock
    readonly log: Logger
    readonly attempt: Attempt
    readonly onVerdict: () => void
  }
  readonly #loops = new Map<ProbeName, Loop>()
  readonly #counts = new Map<ProbeName, ProbeCounts>()
  #attempt = 0

  constructor(options: {
    readonly uid: string
    readonly clock: Clock
    readonly log: Logger
    readonly attempt: Attempt
    /** A verdict has changed. */
    readonly onVerdict: () => void
  }) {
    this.#options = options
  }

  /** What is known of this run. */
  verdicts(attempt: number): { readonly [name in ProbeName]?: ProbeVerdict } {
    if (attempt !== this.#attempt) return {}
    const entries = [...this.#counts].flatMap(([name, { verdict }]) => (verdict === undefined ? [] : [[name, verdict] as const]))
    return Object.fromEntries(entries)
  }

  /** Probes this run, with these probes, and no other. */
  sync({ attempt, startedAt, template, probing }: ProbeTarget): void {
    if (attempt !== this.#attempt) {
      this.stop()
      this.#attempt = attempt
    }
    const wanted = new Map<ProbeName, Probe>()
    for (const name of probing) {
      const probe = template[`${name}Probe`]
      if (probe !== undefined) wanted.set(name, probe)
    }
    for (const [name, loop] of this.#loops) {
      const probe = wanted.get(name)
      if (probe !== undefined && jsonEqual(probe, loop.probe)) continue
      loop.controller.abort()
      this.#loops.delete(name)
      if (probe !== undefined) this.#counts.delete(name)
      else this.#breakOff(name)
    }
    for (const [name, probe] of wanted) if (!this.#loops.has(name)) this.#start(name, probe, startedAt)
  }

  stop(): void {
    for (const { controller } of this.#loops.values()) controller.abort()
    this.#loops.clear()
    this.#counts.clear()
    this.#attempt = 0
  }

  /** What it has found to be well stays true until it is made again; failures of before don't count then. */
  #breakOff(name: ProbeName): void {
    const verdict = this.#counts.get(name)?.verdict
    if (verdict?.passing === true) this.#counts.set(name, { ...noCounts, verdict })
    else this.#counts.delete(name)
  }

  #start(name: ProbeName, probe: Probe, startedAt: Millis): void {
    const { clock, uid } = this.#options
    const controller = new AbortController()
    this.#loops.set(name, { probe, controller })
    const age = clock.monotonic() - startedAt
    const spread = age > JUST_STARTED + probe.initialDelaySeconds * 1000 && this.#counts.size === 0
    const first = spread ? chance(`${uid}.${name}`) * probe.periodSeconds * 1000 : Math.max(0, probe.initialDelaySeconds * 1000 - age)
    this.#schedule(name, probe, first, controller.signal)
  }

  #schedule(name: ProbeName, probe: Probe, delay: Millis, signal: AbortSignal): void {
    const cancel = this.#options.clock.schedule(delay, () => {
      signal.removeEventListener('abort', cancel)
      // Never rejects: whatever an attempt throws counts as a failure of the probe.
      void this.#probe(name, probe, signal)
    })
    signal.addEventListener('abort', cancel, { once: true })
  }

  async #probe(name: ProbeName, probe: Probe, signal: AbortSignal): Promise<void> {
    const { clock, attempt, log, onVerdict } = this.#options
    const began = clock.monotonic()
    let result: ProbeResult
    try {
      result = await attempt(probe, signal)
    } catch (err) {
      if (isAbort(err, signal)) return
      log.debug({ probe: name, err }, 'Probe could not be made')
      result = { ok: false, message: err instanceof Error ? err.message : String(err) }
    }
    if (signal.aborted) return
    const before = this.#counts.get(name) ?? noCounts
    const after = counted(probe, name, before, result)
    this.#counts.set(name, after)
    this.#schedule(name, probe, Math.max(0, began + probe.periodSeconds * 1000 - clock.monotonic()), signal)
    if (after.verdict?.passing !== before.verdict?.passing) onVerdict()
  }
}
