import type { Revision } from './store.ts'

/**
 * What LevelDB holds:
 *
 *     k/<key>        the present value of each key
 *     r/<revision>/  one record for each revision behind `m/compacted`: what changed, and what it was before
 *     m/revision     the last revision given
 *     m/compacted    the oldest revision that can still be watched from
 *     m/marks        when it was at which revision; may be missing
 *     m/format       which layout this is
 */
export const FORMAT_KEY = 'm/format'
export const REVISION_KEY = 'm/revision'
export const COMPACTED_KEY = 'm/compacted'
export const MARKS_KEY = 'm/marks'

/** Exclusive bounds of the present values and of the log. `0` follows `/`. */
export const VALUES: KeyRange = { gt: 'k/', lt: 'k0' }
export const LOG: KeyRange = { gt: 'r/', lt: 'r0' }

export interface KeyRange {
  readonly gt: string
  readonly lt: string
}

export function valueKey(key: string): string {
  return `k/${key}`
}

export function keyOfValueKey(levelKey: string): string {
  return levelKey.slice(2)
}

/** As wide as the largest exact revision, so that the order of the keys is that of the numbers. */
const REVISION_DIGITS = 16

export function logKey(revision: Revision): string {
  return `r/${String(revision).padStart(REVISION_DIGITS, '0')}/`
}

/** NaN when it is no key of the log. */
export function revisionOfLogKey(levelKey: string): Revision {
  return /^r\/\d{16}\/$/.test(levelKey) ? Number(levelKey.slice(2, -1)) : Number.NaN
}

/** The records behind `after`, up to and with `upTo`. */
export function logRange(after: Revision, upTo: Revision): KeyRange {
  return { gt: logKey(after), lt: `${logKey(upTo)}\u0000` }
}
