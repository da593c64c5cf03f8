import { epochOf } from '../base/clock.ts'
import { parseDuration } from '../base/duration.ts'
import { parseQuantity } from '../base/quantity.ts'
import { signalNumberOf } from '../base/signals.ts'

export interface Format {
  readonly accepts: (text: string) => boolean
  /** What to write instead. */
  readonly advice: string
}

/** The formats that schemas name. */
export const formats: Readonly<Record<string, Format>> = {
  duration: {
    accepts: (text) => parseDuration(text) !== undefined,
    advice: 'must be a duration such as 1h30m, 10s or 500ms: whole numbers with h, m, s and ms, in this order',
  },
  quantity: {
    accepts: (text) => parseQuantity(text) !== undefined,
    advice: 'must be a quantity such as 500m, 2, 100M or 512Mi',
  },
  signal: {
    accepts: (text) => signalNumberOf(text) !== undefined,
    advice: 'must be the name of a signal such as TERM, SIGTERM, HUP or RTMIN+1',
  },
  'date-time': {
    accepts: isDateTime,
    advice: 'must be a time in RFC 3339 form such as 2025-01-31T12:00:00Z',
  },
  'micro-time': {
    // Clients in Go read such a field only with all of its six decimals.
    accepts: (text) => isDateTime(text) && /\.\d{6}[Zz+-]/.test(text),
    advice: 'must be a time in RFC 3339 form with microseconds, such as 2025-01-31T12:00:00.000000Z',
  },
  byte: {
    accepts: isBase64,
    advice: 'must be base64 with padding: what `base64` prints',
  },
}

const DATE_TIME = /^(\d{4})-(\d\d)-(\d\d)[Tt]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$/

function isDateTime(text: string): boolean {
  const match = DATE_TIME.exec(text)
  if (match === null) return false
  // Parsing rolls 30 February over into March; a day that is still the same afterwards exists.
  const date = `${match[1]}-${match[2]}-${match[3]}`
  const midnight = epochOf(`${date}T00:00:00Z`)
  return !Number.isNaN(midnight) && Number(match[3]) <= daysInMonth(Number(match[1]), Number(match[2]))
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
  return [4, 6, 9, 11].includes(month) ? 30 : 31
}

function isBase64(text: string): boolean {
  // Line breaks inside are what YAML block texts and `base64 -w76` give; every decoder skips them.
  const digits = text.replaceAll(/[\r\n]/g, '')
  return digits.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(digits)
}
