import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs'
import { rename, rm, symlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type ProcessStat, parseStat } from './proc-stat.ts'
import type { RunMark } from './run-marks.ts'
import type { InstanceId, LogConfig, RunId } from './runtime.ts'
import { type ExitRecord, parseExitRecord, RECORD_SIZE, RUN_FORMAT } from './shim.ts'

/** What the server wrote down of the newest attempt before it asked for it. No secrets. */
export interface RunFile {
  readonly id: RunId
  readonly attempt: number
  readonly startedAt: string
  readonly startedAtMonotonic: number
  readonly bootId: string
  readonly namespace: string
  readonly name: string
  readonly logs: LogConfig
  readonly pidFile?: string
  readonly memo?: string
  /** Where its output begins; absent in what earlier versions wrote. */
  readonly mark?: RunMark
  /** Processor time that the Instance's cgroup had used before. */
  readonly cpuBase?: number
  /** How many processes of it the kernel had killed before, for want of memory; absent: nobody counts. */
  readonly oomBase?: number
}

/** What can't be read from the shim's records: a daemon's main process, or an end nobody recorded. */
export interface ExtraFile {
  readonly attempt: number
  readonly main?: { readonly pid: number; readonly startTime: number }
  readonly end?: {
    readonly reason: 'ShimLost' | 'Reboot' | 'Forked' | 'Killed'
    readonly at: string
    readonly monotonic: number
  }
}

/** No file system of the usual kind has larger blocks. */
const BLOCK = 4_096
const NEWLINE = 10

/** What a record is read into. */
const record: Buffer = Buffer.allocUnsafe(RECORD_SIZE)

const INSTANCE_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/

/** The directories under `run/`, one for each Instance: formats, names and atomicity of what lies there. */
export class StateDir {
  readonly root: string

  constructor(dataDir: string) {
    if (/[\n\0]/.test(dataDir)) throw new Error('The data directory must have no newline in its name')
    this.root = join(dataDir, 'run')
  }

  prepare(): void {
    mkdirSync(this.root, { recursive: true, mode: 0o700 })
  }

  /** Where directories are made ahead. */
  get spareDirectory(): string {
    return join(this.root, '.spare')
  }

  /** What is set aside for starts on a full disk. */
  get reserveDirectory(): string {
    return join(this.root, '.reserve')
  }

  directory(instance: InstanceId): string {
    if (!INSTANCE_ID.test(instance)) throw new Error(`"${instance}" is no Instance id`)
    return join(this.root, instance)
  }

  /** Where the private temporary directories of an Instance lie, if it has any. */
  temporary(instance: InstanceId): string {
    return join(this.root, '..', 'tmp', basename(this.directory(instance)))
  }

  file(instance: InstanceId, name: string): string {
    return join(this.directory(instance), name)
  }

  instances(): InstanceId[] {
    return readdirSync(this.root, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && INSTANCE_ID.test(entry.name))
      .map((entry) => entry.name as InstanceId)
  }

  /** The format of a directory that is complete for this boot; undefined for any other. */
  format(instance: InstanceId, bootId: string): string | undefined {
    const [format, boot] = (this.readText(instance, 'shim') ?? '').slice(RECORD_SIZE + 1).split(/[ \n]/, 2)
    return boot === bootId ? format : undefined
  }

  /** Makes a directory of an earlier format one for the shims of today. Only while no shim lives. */
  upgrade(instance: InstanceId, bootId: string, attempt: number): void {
    // An attempt that was asked for and never begun is still to be launched.
    if (existsSync(this.file(instance, `${attempt}.sh`))) renameSync(this.file(instance, `${attempt}.sh`), this.file(instance, 'launch'))
    const fd = openSync(this.file(instance, 'shim'), 'r+')
    try {
      writeSync(fd, `${bootLine(bootId)}\n`, RECORD_SIZE + 1)
    } finally {
      closeSync(fd)
    }
  }

  /** Makes the directory out of a spare one. Only while no shim lives. */
  async layOut(instance: InstanceId, layout: { readonly spare: string; readonly logPath: string }): Promise<void> {
    const { spare, logPath } = layout
    await symlink(logPath, join(spare, 'log'))
    try {
      await rename(spare, this.directory(instance))
    } catch (err) {
      if (!(hasCode(err, 'ENOTEMPTY') || hasCode(err, 'EEXIST'))) throw err
      // Of another boot. What was noted of the Instance stays. With the shim's record comes the boot: it is the last.
      for (const name of ['ctl', 'pid', 'exit', 'log', 'launch', 'shim']) await rename(join(spare, name), this.file(instance, name))
      await rm(spare, { recursive: true })
    }
  }

  /**
   * Writes one line over what a file held, in one write: a kill leaves the old line or the new one. Many times cheaper than a
   * new file renamed over the old one, which ext4 writes out at once. `room`: the file takes up so many bytes more than the line
   * needs, and whole blocks, so that a somewhat longer one finds room on a full disk.
   */
  writeLine(instance: InstanceId, name: string, line: string, { room = 0 }: { readonly room?: number } = {}): void {
    writeLineAt(this.file(instance, name), line, room)
  }

  /** What `writeLine` wrote last; undefined when there is nothing, or what a power failure left is no line. */
  readLine<T>(instance: InstanceId, name: string): T | undefined {
    return readLineAt<T>(this.file(instance, name))
  }

  readText(instance: InstanceId, name: string): string | undefined {
    try {
      return readFileSync(this.file(instance, name), 'utf8')
    } catch (err) {
      if (isMissing(err)) return undefined
      throw err
    }
  }

  /** The shim's own line; undefined when none has been up yet. */
  readShim(instance: InstanceId): ProcessStat | undefined {
    return parseStat(this.readText(instance, 'shim')?.split('\n', 1)[0] ?? '')
  }

  /** The process that became the program of this attempt. */
  readPid(instance: InstanceId, attempt: number): ProcessStat | undefined {
    const line = this.readText(instance, 'pid')?.split('\n', 1)[0] ?? ''
    const blank = line.indexOf(' ')
    return blank > 0 && Number(line.slice(0, blank)) === attempt ? parseStat(line.slice(blank + 1)) : undefined
  }

  /** The end of this attempt, with the wall time of the record in milliseconds. */
  readExit(instance: InstanceId, attempt: number): (ExitRecord & { readonly epoch: number }) | undefined {
    let fd: number
    try {
      fd = openSync(this.file(instance, 'exit'), 'r')
    } catch (err) {
      if (isMissing(err)) return undefined
      throw err
    }
    try {
      const text = record.toString('latin1', 0, readSync(fd, record, 0, RECORD_SIZE, 0))
      const found = parseExitRecord(text, attempt)
      return found === undefined ? undefined : { ...found, epoch: fstatSync(fd).mtimeMs }
    } finally {
      closeSync(fd)
    }
  }

  /** When a shim wrote last how an attempt ended, in milliseconds; undefined when there is no record. */
  recordedAt(instance: InstanceId): number | undefined {
    return statSync(this.file(instance, 'exit'), { throwIfNoEntry: false })?.mtimeMs
  }

  /**
   * Sends one command to the shim. False: no shim reads, now or ever (unless one was asked for and isn't up yet).
   * One write of less than 4,096 bytes is whole.
   */
  command(instance: InstanceId, command: string): boolean {
    let fd: number
    try {
      fd = openSync(this.file(instance, 'ctl'), constants.O_WRONLY | constants.O_NONBLOCK)
    } catch (err) {
      if (isMissing(err) || hasCode(err, 'ENXIO')) return false
      throw err
    }
    try {
      if (command !== '') writeSync(fd, command)
      return true
    } catch (err) {
      if (hasCode(err, 'EPIPE')) return false
      throw err
    } finally {
      closeSync(fd)
    }
  }

  /** True while a shim reads. */
  hasShim(instance: InstanceId): boolean {
    return this.command(instance, '')
  }
}

/** What stands behind the shim's record: by it a directory of another boot is known, and how to drive the shim. */
export function bootLine(bootId: string): string {
  return `${RUN_FORMAT} ${bootId}`
}

export function isMissing(err: unknown): boolean {
  return hasCode(err, 'ENOENT')
}

export function hasCode(err: unknown, code: string): boolean {
  return err instanceof Error && 'code' in err && err.code === code
}

/** `room` as for StateDir.writeLine. */
export function writeLineAt(path: string, line: string, room = 0): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o600)
  try {
    const text = Buffer.from(`${line}\n`)
    const bytes = room === 0 ? text : Buffer.alloc(Math.ceil((text.length + room) / BLOCK) * BLOCK, NEWLINE)
    text.copy(bytes)
    // A disk that fills up takes the part for which there was room.
    for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written, bytes.length - written, written)
  } finally {
    closeSync(fd)
  }
}

/** JSON that this program wrote as a line; what stands behind the line is left over. */
export function readLineAt<T>(path: string): T | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (err) {
    if (isMissing(err)) return undefined
    throw err
  }
  const end = text.indexOf('\n')
  try {
    return end < 0 ? undefined : (JSON.parse(text.slice(0, end)) as T)
  } catch (err) {
    if (err instanceof SyntaxError) return undefined
    throw err
  }
}
