import { SIGNALS, signalNumberOf } from '../base/signals.ts'
import type { SignalName } from './runtime.ts'

/** Of two names for one number the usual one wins. */
const NAMES: ReadonlyMap<number, SignalName> = new Map(
  Object.entries(SIGNALS)
    .filter(([name]) => !['IOT', 'POLL', 'CLD'].includes(name))
    .map(([name, number]) => [number, name]),
)
/** Real-time signals: what a program calls the first of them, and the last. */
const RTMIN = signalNumberOf('RTMIN') ?? 0
const RTMAX = signalNumberOf('RTMAX') ?? 0

/** The number of a signal: `TERM`, `SIGTERM`, `RTMIN+1`, `RTMAX-2` or digits. Undefined when there is none such. */
export function signalNumber(name: SignalName): number | undefined {
  const known = signalNumberOf(name)
  if (known !== undefined) return known
  const number = /^\d{1,2}$/.test(name) ? Number(name) : 0
  return number >= 1 && number <= RTMAX ? number : undefined
}

export function signalName(number: number): SignalName {
  const known = NAMES.get(number)
  if (known !== undefined) return known
  if (number >= RTMIN && number <= RTMAX) return number === RTMIN ? 'RTMIN' : `RTMIN+${number - RTMIN}`
  return String(number)
}
