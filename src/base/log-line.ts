const LEVELS: Readonly<Record<number, string>> = { 20: 'DEBUG', 30: 'INFO ', 40: 'WARN ', 50: 'ERROR' }

/** A line of the JSON log as people read it: time of day, level, message, then the fields as `key=value`. What is no such line stays as it is. */
export function readableLine(line: string): string {
  let entry: Readonly<Record<string, unknown>>
  try {
    entry = JSON.parse(line) as Readonly<Record<string, unknown>>
  } catch {
    // Not from our logger: shown untouched.
    return line
  }
  const { level, time, msg, ...fields } = entry
  const words = Object.entries(fields).map(([key, value]) => `${key}=${wordOf(value)}`)
  return `${String(time).slice(11, 23)} ${LEVELS[Number(level)] ?? String(level)} ${String(msg)}${words.length === 0 ? '' : `  ${words.join(' ')}`}\n`
}

function wordOf(value: unknown): string {
  if (typeof value === 'object' && value !== null && 'message' in value) return JSON.stringify(String(value.message))
  return typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value)
}
