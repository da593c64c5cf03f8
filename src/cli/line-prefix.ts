const NEWLINE = 10
/** A line is told in one piece up to this length, so that lines of several programs don't mix. */
const LONGEST_LINE = 64 * 1024

/** Puts the same text in front of each line of a stream of bytes that comes in pieces of any size. */
export class LinePrefix {
  readonly #prefix: Buffer
  #rest: Buffer = Buffer.alloc(0)

  constructor(prefix: string) {
    this.#prefix = Buffer.from(prefix)
  }

  /** All lines that are whole by now. */
  feed(bytes: Uint8Array): Buffer {
    const all = Buffer.concat([this.#rest, bytes])
    const pieces: Buffer[] = []
    let start = 0
    for (let newline = all.indexOf(NEWLINE); newline >= 0; newline = all.indexOf(NEWLINE, start)) {
      pieces.push(this.#prefix, all.subarray(start, newline + 1))
      start = newline + 1
    }
    this.#rest = all.subarray(start)
    return this.#rest.length > LONGEST_LINE ? Buffer.concat([...pieces, this.end()]) : Buffer.concat(pieces)
  }

  /** What is left of a line without an end, with one. */
  end(): Buffer {
    const rest = this.#rest
    this.#rest = Buffer.alloc(0)
    return rest.length === 0 ? rest : Buffer.concat([this.#prefix, rest, Buffer.from('\n')])
  }
}

/** Colours that can be told from each other on light and dark ground. */
const COLOURS = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94]

/** `[web-0] `, in the colour of its number where there is colour. */
export function prefixOf(name: string, number: number, colour: boolean): string {
  return colour ? `\u001b[${COLOURS[number % COLOURS.length]}m[${name}]\u001b[0m ` : `[${name}] `
}
