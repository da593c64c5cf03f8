/** So much of what was received last is remembered to find the place again. */
const WINDOW = 256 * 1024
/** So much is searched for the place before it is given up. */
const SEARCHED = 8 * 1024 * 1024
/** Where the new text holds all that is remembered, this much of its end has to be there. */
const NEEDLE = 4 * 1024

const NEWLINE = 10

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

  constructor(options: { readonly stamped?: boolean } = {}) {
    this.#mask = options.stamped === true ? new StampMask() : undefined
  }

  add(bytes: Uint8Array): void {
    this.#total += bytes.length
    this.#bytes = Buffer.concat([this.#bytes, this.#mask?.apply(bytes) ?? bytes])
    // Cut at twice the size, so that not every small piece moves all of it.
    if (this.#bytes.length > 2 * WINDOW) this.#bytes = Buffer.from(this.#bytes.subarray(-WINDOW))
  }

  get isEmpty(): boolean {
    return this.#total === 0
  }

  /** A seam to what is read anew. */
  seam(): LogSeam {
    return new LogSeam(this.#bytes, this.#mask !== undefined)
  }
}

/** Told piece by piece what is read anew, from somewhere before the end of what was shown: gives what comes after that end. */
export class LogSeam {
  readonly #shown: Buffer
  /** Positions in what was shown at which the new text may begin, the latest first. */
  #candidates: number[]
  #read: Buffer = Buffer.alloc(0)
  /** The same with times made alike. */
  #compared: Buffer = Buffer.alloc(0)
  readonly #mask: StampMask | undefined
  #state: 'searching' | 'found' | 'lost' = 'searching'

  constructor(shown: Buffer, stamped: boolean) {
    this.#mask = stamped ? new StampMask() : undefined
    this.#shown = shown
    this.#candidates = lineStarts(shown)
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
    const end = this.#endOfShown()
    if (end !== undefined) return this.#settle('found', end)
    const isHopeless = this.#candidates.length === 0 && this.#read.length > SEARCHED
    return isHopeless ? this.#settle('lost', 0) : Buffer.alloc(0)
  }

  /** There is nothing more to read: what was not placed by now is told as it is. */
  end(): Buffer {
    return this.#state === 'searching' ? this.#settle('lost', 0) : Buffer.alloc(0)
  }

  /** Where in what was read the part that was shown ends; undefined as long as that can't be said. */
  #endOfShown(): number | undefined {
    const read = this.#compared
    this.#candidates = this.#candidates.filter((start) => {
      const length = Math.min(read.length, this.#shown.length - start)
      return this.#shown.compare(read, 0, length, start, start + length) === 0
    })
    const covered = this.#candidates.find((start) => this.#shown.length - start <= read.length)
    if (covered !== undefined) return this.#shown.length - covered
    if (this.#candidates.length > 0) return undefined
    const needle = this.#shown.subarray(-NEEDLE)
    const at = read.indexOf(needle)
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

/** The latest first: the new text is asked for from shortly before the end. */
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
