import { constants } from 'node:os'
import type { SignalName } from './runtime.ts'

/** As the C library numbers them for programs; the kernel's own first two are in use by it. */
const RTMIN = 34
const RTMAX = 64

const NUMBERS: ReadonlyMap<string, number> = new Map(
  Object.entries(constants.signals).map(([name, number]) => [name.replace(/^SIG/, ''), number]),
)
/** Of two names for one number the usual one wins. */
const NAMES: ReadonlyMap<number, SignalName> = new Map(
  [...NUMBERS].filter(([name]) => !['IOT', 'POLL', 'CLD', 'UNUSED'].includes(name)).map(([name, number]) => [number, name]),
)

/** The number of a signal: `TERM`, `SIGTERM`, `RTMIN+1`, `RTMAX-2` or digits. Undefined when there is none such. */
export function signalNumber(name: SignalName): number | undefined {
  const plain = name.toUpperCase().replace(/^SIG/, '')
  const known = NUMBERS.get(plain)
  if (known !== undefined) return known
  const realtime = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(plain)
  if (realtime !== null) {
    const offset = Number(realtime[3] ?? 0) * (realtime[2] === '-' ? -1 : 1)
    const number = (realtime[1] === 'MIN' ? RTMIN : RTMAX) + offset
    return number >= RTMIN && number <= RTMAX ? number : undefined
  }
  const number = /^\d{1,2}$/.test(plain) ? Number(plain) : 0
  return number >= 1 && number <= RTMAX ? number : undefined
}

export function signalName(number: number): SignalName {
  const known = NAMES.get(number)
  if (known !== undefined) return known
  if (number >= RTMIN && number <= RTMAX) return number === RTMIN ? 'RTMIN' : `RTMIN+${number - RTMIN}`
  return String(number)
}
