import {
  closeSync,
  createReadStream,
  createWriteStream,
  fsyncSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import type { Logger } from '../base/log.ts'

/** A piece taken off the live file: the bytes of the logical range [start, end). */
export interface Archive {
  readonly path: string
  readonly start: number
  readonly end: number
  readonly compressed: boolean
}

/** The archives of one log. They lie beside it and are named by the range of bytes in them: no other book is kept. */
export class LogArchives {
  /** Of the live file. */
  readonly #path: string
  readonly #log: Logger

  constructor(path: string, log: Logger) {
    this.#path = path
    this.#log = log
  }

  /** Oldest first. */
  list(): readonly Archive[] {
    const [directory, name] = [dirname(this.#path), basename(this.#path)]
    const archives = readdirSync(directory).flatMap((file) => {
      const match = file.startsWith(`${name}.`) ? /^(\d+)-(\d+)(\.gz)?$/.exec(file.slice(name.length + 1)) : null
      if (match === null) return []
      return [{ path: join(directory, file), start: Number(match[1]), end: Number(match[2]), compressed: match[3] !== undefined }]
    })
    return archives.sort((a, b) => a.start - b.start)
  }

  pathOf(start: number, end: number, compress: boolean): string {
    return `${this.#path}.${start}-${end}${compress ? '.gz' : ''}`
  }

  /** Copies `length` bytes at a physical offset of the live file. What has the name is whole and on the disk. */
  async write(offset: number, length: number, path: string, compress: boolean): Promise<void> {
    const source = createReadStream(this.#path, { start: offset, end: offset + length - 1, highWaterMark: 256 * 1024 })
    const target = createWriteStream(`${path}.tmp`, { mode: 0o600 })
    if (compress) await pipeline(source, createGzip({ level: 1 }), target)
    else await pipeline(source, target)
    const fd = openSync(`${path}.tmp`, 'r')
    try {
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(`${path}.tmp`, path)
  }

  /** Deletes all but the newest `maxFiles`. */
  expire(maxFiles: number): void {
    const archives = this.list()
    for (const archive of archives.slice(0, Math.max(0, archives.length - maxFiles))) rmSync(archive.path, { force: true })
  }

  /**
   * The oldest go while all together hold more than `allowed` bytes of output, and on a disk that is nearly full if that gives room
   * for another piece of so many bytes.
   */
  makeRoom(piece: number, allowed: number): void {
    const archives = this.list()
    const free = (): number => {
      const { bavail, bsize } = statfsSync(dirname(this.#path))
      return bavail * bsize
    }
    const needed = 2 * piece
    const onDisk = archives.reduce((total, { path }) => total + (statSync(path, { throwIfNoEntry: false })?.size ?? 0), 0)
    // Where others fill the disk, these would be lost for nothing.
    const helps = free() + onDisk >= needed
    let kept = archives.reduce((total, archive) => total + archive.end - archive.start, 0)
    for (const archive of archives) {
      const isFull = helps && free() < needed
      if (kept <= allowed && !isFull) return
      if (isFull) this.#log.warn({ file: archive.path }, 'The disk is nearly full: an archived log is deleted')
      rmSync(archive.path, { force: true })
      kept -= archive.end - archive.start
    }
  }
}
