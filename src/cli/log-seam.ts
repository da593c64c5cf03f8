import type { Millis } from '../base/clock.ts'

/** So much of what was received last is remembered to find the place again. */
const WINDOW = 256 * 1024
/** So much is searched for the place before it is given up. */
const SEARCHED = 8 * 1024 * 1024
/** Where the new text holds all that is remembered, this much of its end has to be there. */
const NEEDLE = 4 * 1024

const NEWLINE = 10

const MARK_INTERVAL: Millis = 1_000
/** A minute is far more than what is read anew. */
const KEPT_MARKS = 60

/** Length of what `timestamps` puts in front of each line. */
const STAMP = '2026-11-22T12:00:00.000Z '.length

/**
 * What is remembered of the output that was shown before the connection was lost. `stamped`: each line begins with a time, which
 * may be reckoned otherwise when it is read anew, and is not compared.
 */
export class LogWindow {
  readonly #mask: StampMask | undefined
  #bytes: Buffer = Buffer.alloc(0)
  /** Bytes ever received. */
  #total = 0
  /** How many they had been, about once a second; the newest last. */
  #marks: readonly { readonly at: Millis; readonly total: number }[] = []

  constructor(options: { readonly stamped?: boolean } = {}) {
    this.#mask = options.stamped === true ? new StampMask() : undefined
  }

  /** `at`: when they were received. */
  add(bytes: Uint8Array, at: Millis): void {
    const newest = this.#marks.at(-1)
    if (newest === undefined || at - newest.at >= MARK_INTERVAL)
      this.#marks = [...this.#marks.slice(1 - KEPT_MARKS), { at, total: this.#total }]
    this.#total += bytes.length
    this.#bytes = Buffer.concat([this.#bytes, this.#mask?.apply(bytes) ?? bytes])
    // Cut at twice the size, so that not every small piece moves all of it.
    if (this.#bytes.length > 2 * WINDOW) this.#bytes = Buffer.from(this.#bytes.subarray(-WINDOW))
  }

  get isEmpty(): boolean {
    return this.#total === 0
  }

  /** A seam to what is read anew from this time on. */
  seam(since: Millis): LogSeam {
    const mark = this.#marks.findLast(({ at }) => at <= since) ?? this.#marks[0]
    const expected = Math.max(0, this.#bytes.length - (this.#total - (mark?.total ?? 0)))
    return new LogSeam(this.#bytes, expected, this.#mask !== undefined)
  }
}

/** Told piece by piece what is read anew, from somewhere before the end of what was shown: gives what comes after that end. */
export class LogSeam {
  readonly #shown: Buffer
  /** Where in what was shown the new text probably begins: tells alike lines from each other. */
  readonly #expected: number
  readonly #mask: StampMask | undefined
  #read: Buffer = Buffer.alloc(0)
  /** The same with times made alike. */
  #compared: Buffer = Buffer.alloc(0)
  #isCompared = false
  #state: 'searching' | 'found' | 'lost' = 'searching'

  constructor(shown: Buffer, expected: number, stamped: boolean) {
    this.#shown = shown
    this.#expected = expected
    this.#mask = stamped ? new StampMask() : undefined
  }

  /** True when the place is not there: what was read is told from its beginning, and may repeat lines or lack some. */
  get isLost(): boolean {
    return this.#state === 'lost'
  }

  /** What is new of all that was fed; empty as long as the place has not been found. */
  feed(bytes: Uint8Array): Buffer {
    if (this.#state !== 'searching') return Buffer.from(bytes)
    this.#read = Buffer.concat([this.#read, bytes])
    this.#compared = this.#mask === undefined ? this.#read : Buffer.concat([this.#compared, this.#mask.apply(bytes)])
    // With as much as was shown nothing more can be learned about where in it this begins.
    if (this.#compared.length < this.#shown.length) return Buffer.alloc(0)
    const end = (this.#isCompared ? undefined : this.#endByOverlap()) ?? this.#endByContent()
    this.#isCompared = true
    if (end !== undefined) return this.#settle('found', end)
    return this.#read.length > SEARCHED ? this.#settle('lost', 0) : Buffer.alloc(0)
  }

  /** There is nothing more to read for now: the rest of what is new. What was not placed by now is told as it is. */
  end(): Buffer {
    if (this.#state !== 'searching') return Buffer.alloc(0)
    const end = this.#endByOverlap() ?? this.#endByContent()
    return end === undefined ? this.#settle('lost', 0) : this.#settle('found', end)
  }

  /** It begins somewhere in what was shown, and goes on beyond its end. */
  #endByOverlap(): number | undefined {
    const [shown, read] = [this.#shown, this.#compared]
    const starts = lineStarts(shown).filter((start) => {
      const length = shown.length - start
      return length <= read.length && shown.compare(read, 0, length, start) === 0
    })
    const distance = (start: number): number => Math.abs(start - this.#expected)
    const [nearest] = starts.sort((a, b) => distance(a) - distance(b))
    return nearest === undefined ? undefined : shown.length - nearest
  }

  /** It begins before all that is remembered, and holds the end of that. */
  #endByContent(): number | undefined {
    const needle = this.#shown.subarray(-NEEDLE)
    const at = this.#compared.indexOf(needle)
    return at < 0 ? undefined : at + needle.length
  }

  #settle(state: 'found' | 'lost', from: number): Buffer {
    this.#state = state
    const rest = this.#read.subarray(from)
    this.#read = Buffer.alloc(0)
    this.#compared = this.#read
    return rest
  }
}

/** Where lines begin in the last WINDOW of a text. */
function lineStarts(text: Buffer): number[] {
  const starts: number[] = []
  const window = Math.max(0, text.length - WINDOW)
  for (let at = text.lastIndexOf(NEWLINE, text.length - 2); at >= window; at = at === 0 ? -1 : text.lastIndexOf(NEWLINE, at - 1))
    starts.push(at + 1)
  if (window === 0 && text.length > 0) starts.push(0)
  return starts
}

/** Makes the times at the beginnings of lines alike. */
class StampMask {
  #column = 0

  apply(bytes: Uint8Array): Buffer {
    const masked = Buffer.from(bytes)
    for (let at = 0; at < masked.length; at++) {
      if (masked[at] === NEWLINE) this.#column = 0
      else {
        if (this.#column < STAMP) masked[at] = 0
        this.#column += 1
      }
    }
    return masked
  }
}
