/** What is no protobuf, or not the protobuf that was expected. */
export class ProtobufError extends Error {
  override readonly name = 'ProtobufError'
}

/** Wire types of protobuf: how a value is laid out, whatever it means. */
export const VARINT = 0
const FIXED_64 = 1
export const LENGTH_DELIMITED = 2
const START_GROUP = 3
const END_GROUP = 4
const FIXED_32 = 5

/** A varint has seven bits in each byte, so 64 bits take ten. */
const LONGEST_VARINT = 10
const LARGEST_TAG = 2 ** 32 - 1

export interface Tag {
  /** Number of the field: at least 1. */
  readonly field: number
  readonly wireType: number
}

/**
 * Reads protobuf's wire format (https://protobuf.dev/programming-guides/encoding/) from the front to the end. Every length is checked
 * against what there is before anything is made of it. Throws ProtobufError.
 */
export class WireReader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  tag(): Tag {
    const number = this.#unsigned()
    if (number > LARGEST_TAG) throw new ProtobufError('the number of a field is too large')
    const field = Math.floor(number / 8)
    if (field === 0) throw new ProtobufError('a field has the number 0')
    return { field, wireType: number % 8 }
  }

  /** A signed number of 64 bits; the nearest that a JSON number can hold. */
  integer(): number {
    const start = this.#at
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.#varintByte(start)
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return Number(BigInt.asIntN(64, value))
    }
  }

  /** A view of the bytes of one length-delimited value. */
  slice(): Uint8Array {
    const length = this.#unsigned()
    this.#requireLeft(length)
    const start = this.#at
    this.#at += length
    return this.#bytes.subarray(start, this.#at)
  }

  /** Passes over the value of a field that nobody wants to know. */
  skip({ field, wireType }: Tag): void {
    const groups: number[] = []
    let tag: Tag = { field, wireType }
    for (;;) {
      switch (tag.wireType) {
        case VARINT:
          this.integer()
          break
        case FIXED_64:
          this.#advance(8)
          break
        case LENGTH_DELIMITED:
          this.slice()
          break
        case FIXED_32:
          this.#advance(4)
          break
        case START_GROUP:
          groups.push(tag.field)
          break
        case END_GROUP:
          if (groups.pop() !== tag.field) throw new ProtobufError('a group ends that did not begin')
          break
        default:
          throw new ProtobufError(`field ${tag.field} has wire type ${tag.wireType}, which does not exist`)
      }
      if (groups.length === 0) return
      tag = this.tag()
    }
  }

  /** An unsigned number; what is beyond 2^53 is only known to be large. */
  #unsigned(): number {
    const start = this.#at
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#varintByte(start)
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
  }

  #varintByte(start: number): number {
    if (this.#at - start >= LONGEST_VARINT) throw new ProtobufError('a number is longer than 64 bits')
    const byte = this.#bytes[this.#at]
    if (byte === undefined) throw new ProtobufError('it ends within a value')
    this.#at += 1
    return byte
  }

  #advance(length: number): void {
    this.#requireLeft(length)
    this.#at += length
  }

  #requireLeft(length: number): void {
    if (length > this.#bytes.length - this.#at) throw new ProtobufError('it ends within a value')
  }
}
