/** Spaces between columns. */
const GAP = 3

export interface TableOptions {
  readonly headers: boolean
  readonly colour?: boolean
  /** Cells may grow these; a later part of the same table keeps to them. */
  readonly widths?: number[]
}

/** Rows below their headers, as kubectl aligns them; nothing after the last cell. */
export function formatTable(headers: readonly string[], rows: readonly (readonly string[])[], options: TableOptions): string {
  const titles = headers.map((title) => title.toUpperCase())
  const lines = [...(options.headers ? [titles] : []), ...rows.map((row) => row.map(printable))]
  const widths = options.widths ?? []
  for (const line of lines) for (const [at, cell] of line.entries()) widths[at] = Math.max(widths[at] ?? 0, lengthOf(cell))
  const statusAt = options.colour === true ? titles.indexOf('STATUS') : -1
  return lines
    .map((line, index) => {
      const isHeader = options.headers && index === 0
      const cells = line.map((cell, at) => {
        const padded = at === line.length - 1 ? cell : cell + ' '.repeat((widths[at] ?? 0) + GAP - lengthOf(cell))
        return at === statusAt && !isHeader ? colourStatus(padded) : padded
      })
      return `${cells.join('').trimEnd()}\n`
    })
    .join('')
}

/** Text on one line that can't steer a terminal. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must not reach a terminal.
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (letter) => `^${String.fromCharCode((letter.charCodeAt(0) & 0x1f) + 0x40)}`)
}

/** What kubectl puts where there is nothing. */
export function cellText(cell: unknown): string {
  if (cell === null || cell === undefined || cell === '') return '<none>'
  return typeof cell === 'object' ? JSON.stringify(cell) : String(cell)
}

const GOOD: ReadonlySet<string> = new Set(['Running', 'Ready', 'Succeeded', 'Active', 'Completed'])
const BAD: ReadonlySet<string> = new Set(['Failed', 'CrashLoopBackOff', 'GaveUp', 'StartError', 'Unknown', 'Degraded'])

function colourStatus(padded: string): string {
  const word = padded.trimEnd()
  const code = GOOD.has(word) ? 32 : BAD.has(word) ? 31 : 33
  return word === '<none>' || word === 'Stopped' ? padded : `\u001b[${code}m${word}\u001b[0m${padded.slice(word.length)}`
}

function lengthOf(text: string): number {
  return [...text].length
}
