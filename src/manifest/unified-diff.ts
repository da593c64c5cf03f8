/** Lines shown around a change. */
const CONTEXT = 3

/** Above so many differing lines the shortest edit is no longer looked for: it costs time without telling more. */
const MAX_EDITS = 4_000

interface Line {
  readonly sign: ' ' | '-' | '+'
  readonly text: string
}

/** The difference of two texts in the unified format; empty when there is none. */
export function unifiedDiff(
  from: { readonly name: string; readonly text: string },
  to: { readonly name: string; readonly text: string },
): string {
  if (from.text === to.text) return ''
  const lines = diffLines(splitLines(from.text), splitLines(to.text))
  const hunks = findHunks(lines).map((hunk) => formatHunk(lines, hunk))
  return [`--- ${from.name}`, `+++ ${to.name}`, ...hunks, ''].join('\n')
}

function splitLines(text: string): readonly string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n')
}

/** Myers' greedy algorithm between the common head and tail. */
function diffLines(a: readonly string[], b: readonly string[]): readonly Line[] {
  let head = 0
  while (head < a.length && head < b.length && a[head] === b[head]) head++
  let tail = 0
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++
  const same = (text: string): Line => ({ sign: ' ', text })
  return [
    ...a.slice(0, head).map(same),
    ...editScript(a.slice(head, a.length - tail), b.slice(head, b.length - tail)),
    ...a.slice(a.length - tail).map(same),
  ]
}

function editScript(a: readonly string[], b: readonly string[]): readonly Line[] {
  const replaced = (): readonly Line[] => [...a.map((text): Line => ({ sign: '-', text })), ...b.map((text): Line => ({ sign: '+', text }))]
  const trace: Map<number, number>[] = []
  let reach = new Map<number, number>([[1, 0]])
  const most = Math.min(a.length + b.length, MAX_EDITS)
  for (let edits = 0; edits <= most; edits++) {
    trace.push(new Map(reach))
    const next = new Map(reach)
    for (let k = -edits; k <= edits; k += 2) {
      const down = k === -edits || (k !== edits && (next.get(k - 1) ?? 0) < (next.get(k + 1) ?? 0))
      let x = down ? (next.get(k + 1) ?? 0) : (next.get(k - 1) ?? 0) + 1
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++
      next.set(k, x)
      if (x >= a.length && x - k >= b.length) return walkBack(a, b, trace)
    }
    reach = next
  }
  return replaced()
}

function walkBack(a: readonly string[], b: readonly string[], trace: readonly ReadonlyMap<number, number>[]): readonly Line[] {
  const lines: Line[] = []
  let x = a.length
  let y = b.length
  for (let edits = trace.length - 1; edits >= 0; edits--) {
    const reach = trace[edits] ?? new Map<number, number>()
    const k = x - y
    const down = k === -edits || (k !== edits && (reach.get(k - 1) ?? 0) < (reach.get(k + 1) ?? 0))
    const previousX = reach.get(down ? k + 1 : k - 1) ?? 0
    const previousY = previousX - (down ? k + 1 : k - 1)
    while (x > previousX && y > previousY && x > 0 && y > 0) {
      x--
      y--
      lines.push({ sign: ' ', text: a[x] ?? '' })
    }
    if (edits === 0) break
    if (down) lines.push({ sign: '+', text: b[--y] ?? '' })
    else lines.push({ sign: '-', text: a[--x] ?? '' })
  }
  return lines.reverse()
}

interface Hunk {
  readonly start: number
  readonly end: number
}

function findHunks(lines: readonly Line[]): readonly Hunk[] {
  const hunks: Hunk[] = []
  for (const [at, line] of lines.entries()) {
    if (line.sign === ' ') continue
    const start = Math.max(0, at - CONTEXT)
    const end = Math.min(lines.length, at + CONTEXT + 1)
    const last = hunks.at(-1)
    if (last !== undefined && start <= last.end) hunks[hunks.length - 1] = { start: last.start, end }
    else hunks.push({ start, end })
  }
  return hunks
}

function formatHunk(lines: readonly Line[], { start, end }: Hunk): string {
  const part = lines.slice(start, end)
  const range = (sign: '-' | '+'): string => {
    const before = lines.slice(0, start).filter((line) => line.sign === ' ' || line.sign === sign).length
    const count = part.filter((line) => line.sign === ' ' || line.sign === sign).length
    return `${sign}${count === 0 ? before : before + 1}${count === 1 ? '' : `,${count}`}`
  }
  return [`@@ ${range('-')} ${range('+')} @@`, ...part.map(({ sign, text }) => `${sign}${text}`)].join('\n')
}
