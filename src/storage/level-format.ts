/**
 * As much of LevelDB's file formats as it takes to check its files: it looks at a checksum only when it feels like it, drops what
 * it can't read of a log without a word, and ends the whole process over a damaged table.
 */
export class DamagedFile extends Error {
  override readonly name = 'DamagedFile'
}

const LOG_BLOCK = 32 * 1024
const LOG_HEADER = 7
const LAST_LOG_TYPE = 4
const FULL = 1
const FIRST = 2
const LAST = 4
/** Behind each block of a table: how it is compressed, and its checksum. */
const BLOCK_TRAILER = 5
const TABLE_FOOTER = 48
const TABLE_MAGIC = 0xdb4775248b80fb57n

export interface LogContent {
  readonly records: readonly Buffer[]
  /** Where the unreadable end begins, which may be a write cut short by a crash since nothing follows it; undefined when all can be read. */
  readonly tornAt: number | undefined
  /** True when more was to come than there is. */
  readonly isCutOff: boolean
}

/** The records of a log or a manifest. Throws DamagedFile when there are readable ones behind one that isn't. */
export function readLogFile(bytes: Buffer): LogContent {
  const records: Buffer[] = []
  let parts: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const left = LOG_BLOCK - (at % LOG_BLOCK)
    if (left < LOG_HEADER) {
      at += left
      continue
    }
    const part = partAt(bytes, at)
    if (part === undefined) {
      for (let next = at + 1; next < bytes.length; next++) {
        if ((partAt(bytes, next)?.data.length ?? 0) > 0) throw new DamagedFile(`a record at byte ${at} cannot be read, but later ones can`)
      }
      const isCutOff = at + LOG_HEADER > bytes.length || at + LOG_HEADER + bytes.readUInt16LE(at + 4) > bytes.length
      return { records, tornAt: at, isCutOff }
    }
    const { type, data } = part
    if (type === FULL || type === FIRST) parts = []
    parts.push(data)
    if (type === FULL || type === LAST) records.push(Buffer.concat(parts))
    at += LOG_HEADER + data.length
  }
  return { records, tornAt: undefined, isCutOff: false }
}

function partAt(bytes: Buffer, at: number): { readonly type: number; readonly data: Buffer } | undefined {
  const end = Math.min(bytes.length, at - (at % LOG_BLOCK) + LOG_BLOCK)
  if (at + LOG_HEADER > end) return undefined
  const length = bytes.readUInt16LE(at + 4)
  const type = bytes.readUInt8(at + 6)
  if (type < FULL || type > LAST_LOG_TYPE || at + LOG_HEADER + length > end) return undefined
  // The checksum begins with the type.
  if (unmasked(bytes.readUInt32LE(at)) !== crc32c(bytes, at + 6, at + LOG_HEADER + length)) return undefined
  return { type, data: bytes.subarray(at + LOG_HEADER, at + LOG_HEADER + length) }
}

export interface ManifestContent {
  /** Numbers and sizes of the tables that make up the database. */
  readonly tables: ReadonlyMap<number, number>
  /** Logs before this one are done with. */
  readonly firstLog: number
}

/** What a manifest's records say, taken together. Throws DamagedFile. */
export function readManifest(records: readonly Buffer[]): ManifestContent {
  const tables = new Map<number, number>()
  let firstLog = 0
  for (const record of records) {
    const reader = new Reader(record)
    while (!reader.isAtEnd) {
      const tag = reader.number()
      if (tag === 1) reader.bytes()
      else if (tag === 2) firstLog = reader.number()
      else if (tag === 3 || tag === 4 || tag === 9) reader.number()
      else if (tag === 5) {
        reader.number()
        reader.bytes()
      } else if (tag === 6) {
        reader.number()
        tables.delete(reader.number())
      } else if (tag === 7) {
        reader.number()
        tables.set(reader.number(), reader.number())
        reader.bytes()
        reader.bytes()
      } else throw new DamagedFile(`it has an entry of kind ${tag}`)
    }
  }
  return { tables, firstLog }
}

/** Checks every block of a table. Throws DamagedFile. */
export function checkTable(bytes: Buffer): void {
  if (bytes.length < TABLE_FOOTER || bytes.readBigUInt64LE(bytes.length - 8) !== TABLE_MAGIC) throw new DamagedFile('it has no end')
  const footer = new Reader(bytes.subarray(bytes.length - TABLE_FOOTER))
  for (let index = 0; index < 2; index++) {
    const { block, isCompressed } = blockAt(bytes, footer)
    for (const handle of valuesOf(isCompressed ? decompressed(block) : block)) blockAt(bytes, new Reader(handle))
  }
}

function blockAt(bytes: Buffer, handle: Reader): { readonly block: Buffer; readonly isCompressed: boolean } {
  const start = handle.number()
  const end = start + handle.number()
  if (end + BLOCK_TRAILER > bytes.length) throw new DamagedFile(`a block reaches to byte ${end}, beyond its end`)
  if (unmasked(bytes.readUInt32LE(end + 1)) !== crc32c(bytes, start, end + 1)) {
    throw new DamagedFile(`the block at byte ${start} has a wrong checksum`)
  }
  return { block: bytes.subarray(start, end), isCompressed: bytes.readUInt8(end) !== 0 }
}

/** The values of a block's entries: keys share beginnings with those before, which doesn't matter here. */
function* valuesOf(block: Buffer): Generator<Buffer, void, undefined> {
  const restarts = block.readUInt32LE(block.length - 4)
  const reader = new Reader(block.subarray(0, block.length - 4 - 4 * restarts))
  while (!reader.isAtEnd) {
    reader.number()
    const key = reader.number()
    const value = reader.number()
    reader.take(key)
    yield reader.take(value)
  }
}

/** Snappy. */
function decompressed(block: Buffer): Buffer {
  const reader = new Reader(block)
  const out = Buffer.alloc(reader.number())
  let at = 0
  while (!reader.isAtEnd) {
    const tag = reader.take(1).readUInt8(0)
    const kind = tag & 3
    if (kind === 0) {
      const length = tag >> 2
      const literal = reader.take((length < 60 ? length : reader.take(length - 59).readUIntLE(0, length - 59)) + 1)
      at += literal.copy(out, at)
      continue
    }
    const length = kind === 1 ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1
    const back =
      kind === 1 ? ((tag >> 5) << 8) | reader.take(1).readUInt8(0) : reader.take(kind === 2 ? 2 : 4).readUIntLE(0, kind === 2 ? 2 : 4)
    if (back === 0 || back > at) throw new DamagedFile('a block cannot be decompressed')
    // Byte by byte: it may overlap what it writes.
    for (let n = 0; n < length; n++, at++) out[at] = out[at - back] ?? 0
  }
  return out
}

class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  take(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) throw new DamagedFile('it ends in the middle of an entry')
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  /** Seven bits a byte, the lowest first. */
  number(): number {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = this.take(1).readUInt8(0)
      value += (byte & 127) * factor
      if (byte < 128) return value
    }
  }

  bytes(): Buffer {
    return this.take(this.number())
  }
}

/** Eight tables of 256: that of one byte, and of that byte with one to seven zeros behind it. */
const TABLES: Int32Array = tablesOf(0x82f63b78)

function tablesOf(polynomial: number): Int32Array {
  const tables = new Int32Array(8 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? polynomial : 0)
    tables[byte] = crc
  }
  for (let at = 256; at < tables.length; at++) {
    const shorter = tables[at - 256] as number
    tables[at] = (tables[shorter & 255] as number) ^ (shorter >>> 8)
  }
  return tables
}

/** CRC-32C of a range, eight bytes at a time. */
function crc32c(bytes: Uint8Array, start: number, end: number): number {
  const t = TABLES
  const at = (index: number): number => bytes[index] as number
  let crc = -1
  let next = start
  for (; next + 8 <= end; next += 8) {
    crc ^= at(next) | (at(next + 1) << 8) | (at(next + 2) << 16) | (at(next + 3) << 24)
    crc =
      (t[1792 + (crc & 255)] as number) ^
      (t[1536 + ((crc >>> 8) & 255)] as number) ^
      (t[1280 + ((crc >>> 16) & 255)] as number) ^
      (t[1024 + (crc >>> 24)] as number) ^
      (t[768 + at(next + 4)] as number) ^
      (t[512 + at(next + 5)] as number) ^
      (t[256 + at(next + 6)] as number) ^
      (t[at(next + 7)] as number)
  }
  for (; next < end; next++) crc = (t[(crc ^ at(next)) & 255] as number) ^ (crc >>> 8)
  return ~crc >>> 0
}

/** Checksums are stored turned and shifted, since they may be part of what is summed again. */
function unmasked(stored: number): number {
  const turned = (stored - 0xa282ead8) >>> 0
  return ((turned >>> 17) | (turned << 15)) >>> 0
}
