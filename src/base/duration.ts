import type { Millis } from './clock.ts'

const UNITS: Readonly<Record<string, Millis>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 }

/** Gateway API form: one to four groups of at most five digits and a unit, largest first, such as `1h30m` or `500ms`. */
export const DURATION_PATTERN = '^(?=.)([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?([0-9]{1,5}ms)?$'

const WHOLE = new RegExp(DURATION_PATTERN)

/** Milliseconds of a duration such as `1h30m`; undefined when it is not one. */
export function parseDuration(text: string): Millis | undefined {
  if (!WHOLE.test(text)) return undefined
  let total = 0
  for (const [, digits, unit] of text.matchAll(/([0-9]+)(ms|h|m|s)/g)) total += Number(digits) * (UNITS[unit ?? ''] ?? 0)
  return total
}

/** The shortest text that parses to the same length, to the millisecond: 90000 is `1m30s`. */
export function formatDuration(length: Millis): string {
  let left = Math.round(length)
  let text = ''
  for (const [unit, size] of Object.entries(UNITS)) {
    const count = Math.floor(left / size)
    if (count > 0) text += `${count}${unit}`
    left -= count * size
  }
  return text || '0s'
}
