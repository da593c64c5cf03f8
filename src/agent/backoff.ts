import { exponential } from '../base/backoff.ts'
import type { Millis } from '../base/clock.ts'
import { parseDuration } from '../base/duration.ts'
import { seededRandom } from '../base/random.ts'
import type { Backoff, RestartLimit } from '../generated/types.ts'
import type { Memory } from './memory.ts'

/** Of restartLimit.count, how many times are remembered; a higher limit acts as this one. Keeps the note small. */
const REMEMBERED_RESTARTS = 200

/** What can't be launched is not tried in a tight loop, even by a backoff of nothing. */
const LEAST_RETRY: Millis = 100

/** A duration of a validated spec; the schema lets no other text through. */
export function millis(duration: string): Millis {
  return parseDuration(duration) ?? 0
}

/**
 * The wait after so many failures in a row: none after the first, then `initial` and longer each time. A failure to launch
 * waits from the first one on. The jitter follows from `seed`, so that looking again gives the same answer.
 */
export function waitAfter(spec: Backoff, failures: number, options: { readonly launch: boolean; readonly seed: string }): Millis {
  const count = options.launch ? failures : failures - 1
  if (count < 1) return 0
  const { factor, jitter } = spec
  const initial = millis(spec.initial)
  const wait = initial === 0 ? 0 : exponential({ initial, factor, max: millis(spec.max), jitter }, () => chance(options.seed))(count)
  return options.launch ? Math.max(wait, LEAST_RETRY) : wait
}

/** Counts one more failure; a life of at least resetAfter wipes the slate first. */
export function failuresAfter(spec: Backoff, failures: number, lived: Millis): number {
  return (lived >= millis(spec.resetAfter) ? 0 : failures) + 1
}

/** Whether one more restart would be one too many. */
export function isOverLimit(limit: RestartLimit, restarts: readonly Millis[], now: Millis): boolean {
  if (limit.count === 0) return false
  const recent = restarts.filter((at) => now - at < millis(limit.window))
  return recent.length >= Math.min(limit.count, REMEMBERED_RESTARTS)
}

/** The restarts worth remembering, with one more. */
export function withRestart(limit: RestartLimit, restarts: readonly Millis[], now: Millis): readonly Millis[] {
  if (limit.count === 0) return []
  const keep = Math.min(limit.count, REMEMBERED_RESTARTS)
  return [...restarts.filter((at) => now - at < millis(limit.window)), now].slice(-keep)
}

/** When the next start is due; undefined when no wait is on. */
export function dueAt(spec: Backoff, memory: Memory, uid: string): Millis | undefined {
  if (memory.diedAt === undefined || memory.failures === 0) return undefined
  const seed = `${uid}.${memory.attempt}`
  return memory.diedAt + waitAfter(spec, memory.failures, { launch: memory.startError !== undefined, seed })
}

/** A number in [0, 1) that is always the same for the same text (FNV-1a into a seeded generator). */
export function chance(seed: string): number {
  let hash = 0x811c9dc5
  for (const char of seed) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193)
  return seededRandom(hash)()
}
