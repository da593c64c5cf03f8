import { epochOf, type Millis, type Timestamp } from './clock.ts'

const SECOND: Millis = 1_000
const MINUTE: Millis = 60 * SECOND
const HOUR: Millis = 60 * MINUTE
const DAY: Millis = 24 * HOUR
const YEAR: Millis = 365 * DAY

/** Up to which length an age is told in which unit, and whether the next smaller unit is told too. The way kubectl tells ages. */
const SCALE: readonly {
  readonly below: Millis
  readonly unit: Millis
  readonly name: string
  readonly rest?: readonly [Millis, string]
}[] = [
  { below: 2 * MINUTE, unit: SECOND, name: 's' },
  { below: 10 * MINUTE, unit: MINUTE, name: 'm', rest: [SECOND, 's'] },
  { below: 3 * HOUR, unit: MINUTE, name: 'm' },
  { below: 8 * HOUR, unit: HOUR, name: 'h', rest: [MINUTE, 'm'] },
  { below: 2 * DAY, unit: HOUR, name: 'h' },
  { below: 8 * DAY, unit: DAY, name: 'd', rest: [HOUR, 'h'] },
  { below: 2 * YEAR, unit: DAY, name: 'd' },
  { below: 8 * YEAR, unit: YEAR, name: 'y', rest: [DAY, 'd'] },
  { below: Number.POSITIVE_INFINITY, unit: YEAR, name: 'y' },
]

/** `5d3h`: the time from `since` to `now`. A moment that is yet to come, by clocks that differ a little, is `0s`. */
export function age(since: Timestamp, now: Timestamp): string {
  const length = Math.max(0, epochOf(now) - epochOf(since))
  const step = SCALE.find(({ below }) => length < below)
  if (step === undefined) return '<invalid>'
  const whole = Math.floor(length / step.unit)
  if (step.rest === undefined) return `${whole}${step.name}`
  const [unit, name] = step.rest
  const rest = Math.floor((length - whole * step.unit) / unit)
  return rest === 0 ? `${whole}${step.name}` : `${whole}${step.name}${rest}${name}`
}
