const SUFFIXES: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
}

/** A Kubernetes quantity: a decimal number with an optional suffix or exponent. */
export const QUANTITY_PATTERN = '^[+-]?([0-9]+(\\.[0-9]*)?|\\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$'

const WHOLE = new RegExp(QUANTITY_PATTERN)

/** The number that a quantity stands for: `512Mi` is 536870912, `1500m` is 1.5. Undefined when it is not one. */
export function parseQuantity(text: string | number): number | undefined {
  const source = String(text)
  const match = WHOLE.exec(source)
  if (!match) return undefined
  const suffix = match[3] ?? ''
  if (/^[eE][+-]?[0-9]/.test(suffix)) return Number(source)
  return Number(source.slice(0, source.length - suffix.length)) * (SUFFIXES[suffix] ?? Number.NaN)
}

/** Bytes for people, in the largest binary unit that keeps at least one digit before the point: 536870912 is `512Mi`. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = ''
  for (const next of ['Ki', 'Mi', 'Gi', 'Ti', 'Pi']) {
    if (Math.abs(value) < 1024) break
    value /= 1024
    unit = next
  }
  return `${unit === '' || value >= 100 ? Math.round(value) : Math.round(value * 10) / 10}${unit}`
}
