import { type FileHandle, open, rename, stat } from 'node:fs/promises'
import type { AuditSink } from '../apiserver/audit.ts'
import type { Clock, Millis } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'

export interface AuditLogOptions {
  /** The file that is written to; older ones are `FILE.1` (the newest of them) to `FILE.3`. */
  readonly file: string
  /** Bytes of all files together, about. */
  readonly size: number
  readonly clock: Clock
  readonly log: Logger
}

const FILES = 4

/** Lines wait for each other for so long, since a write of one costs as much as one of a hundred. A server that is killed loses them. */
const GATHER: Millis = 100

/** After this the disk is tried again. */
const RETRY: Millis = 1_000

/** What a full disk keeps from being written waits in memory up to this many bytes; later lines are lost, and their number is told. */
const MOST_WAITING = 256 * 1024

/** Lines in a file that only its owner can read, which is put aside when it is full. A disk that refuses keeps nobody waiting: it is told in the server's log. */
export class AuditLog implements AuditSink {
  readonly #options: AuditLogOptions
  #opened: { readonly handle: FileHandle; size: number } | undefined
  #waiting: string[] = []
  #waitingBytes = 0
  /** What of the last piece isn't on the disk yet. */
  #unwritten: Buffer | undefined
  /** Some of it is: the rest belongs into the same file. */
  #isBegun = false
  #lost = 0
  #isRefused = false
  #cancel: (() => void) | undefined
  #flushing: Promise<void> | undefined

  constructor(options: AuditLogOptions) {
    this.#options = options
  }

  write(line: string): void {
    const bytes = Buffer.byteLength(line)
    if (this.#waitingBytes + bytes > MOST_WAITING) {
      this.#lost += 1
      return
    }
    this.#waiting.push(line)
    this.#waitingBytes += bytes
    this.#flushAfter(GATHER)
  }

  /** Writes what waits, if the disk takes it. */
  async close(): Promise<void> {
    await this.#flushing
    this.#cancel?.()
    this.#cancel = undefined
    await this.#flush()
    await this.#opened?.handle.close()
    this.#opened = undefined
  }

  #flushAfter(delay: Millis): void {
    if (this.#cancel !== undefined || this.#flushing !== undefined) return
    this.#cancel = this.#options.clock.schedule(delay, () => {
      this.#cancel = undefined
      this.#flushing = this.#flush().finally(() => {
        this.#flushing = undefined
        if (this.#unwritten !== undefined) this.#flushAfter(RETRY)
        else if (this.#waiting.length > 0) this.#flushAfter(GATHER)
      })
    })
  }

  async #flush(): Promise<void> {
    try {
      if (this.#unwritten === undefined) {
        if (this.#waiting.length === 0) return
        this.#unwritten = this.#take()
      }
      await this.#append()
      if (!this.#isRefused) return
      this.#isRefused = false
      this.#options.log.info({ lost: this.#lost }, 'The audit log is written again')
    } catch (err) {
      if (!this.#isRefused) this.#options.log.warn({ file: this.#options.file, err }, 'The audit log cannot be written')
      this.#isRefused = true
    }
  }

  #take(): Buffer {
    const { clock } = this.#options
    const lost = this.#lost > 0 ? `${JSON.stringify({ time: clock.now(), omitted: this.#lost, reason: 'AuditLogNotWritable' })}\n` : ''
    const piece = Buffer.from(`${this.#waiting.join('')}${lost}`)
    this.#waiting = []
    this.#waitingBytes = 0
    this.#lost = 0
    return piece
  }

  /** Goes on where an earlier attempt ended, in the middle of a line as well. */
  async #append(): Promise<void> {
    while (this.#unwritten !== undefined) {
      const opened = await this.#open(this.#unwritten.length)
      const { bytesWritten } = await opened.handle.write(this.#unwritten)
      opened.size += bytesWritten
      this.#isBegun = bytesWritten < this.#unwritten.length
      this.#unwritten = this.#isBegun ? this.#unwritten.subarray(bytesWritten) : undefined
    }
  }

  async #open(more: number): Promise<{ readonly handle: FileHandle; size: number }> {
    const { file, size: allFiles } = this.#options
    const full = !this.#isBegun && this.#opened !== undefined && this.#opened.size > 0 && this.#opened.size + more > allFiles / FILES
    if (full) {
      await this.#opened?.handle.close()
      this.#opened = undefined
      await putAside(file)
    }
    if (this.#opened === undefined) {
      const handle = await open(file, 'a+', 0o600)
      const { size } = await handle.stat()
      this.#opened = { handle, size }
      // A server that was killed, or a disk that was full, may have left half a line.
      if (size > 0 && !(await endsWithLine(handle, size))) this.#opened.size += (await handle.write('\n')).bytesWritten
    }
    return this.#opened
  }
}

async function putAside(file: string): Promise<void> {
  for (let age = FILES - 1; age > 0; age--) {
    const from = age === 1 ? file : `${file}.${age - 1}`
    if ((await stat(from).catch(absent)) !== undefined) await rename(from, `${file}.${age}`)
  }
}

function absent(err: NodeJS.ErrnoException): undefined {
  if (err.code !== 'ENOENT') throw err
}

async function endsWithLine(handle: FileHandle, size: number): Promise<boolean> {
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1)
  return buffer[0] === 0x0a
}
