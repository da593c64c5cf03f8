import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readlinkSync, readSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'

/** What identifies a process within one boot: a pid comes back, a pid with this start time doesn't. */
export interface ProcessIdentity {
  readonly pid: number
  /** Clock ticks since boot: field 22 of `/proc/PID/stat`. */
  readonly startTime: number
}

export interface ProcessStat extends ProcessIdentity {
  /** `R`, `S`, `D`, `T`, `t`, `Z`, `X` and so on. */
  readonly state: string
  readonly ppid: number
  readonly pgrp: number
  readonly session: number
  /** Ticks of processor time, user and system. */
  readonly cpuTicks: number
  readonly threads: number
  readonly residentPages: number
}

/** One line of `/proc/PID/stat`. The name may hold blanks and brackets, so fields are counted from the last bracket. */
export function parseStat(line: string): ProcessStat | undefined {
  const open = line.indexOf('(')
  const close = line.lastIndexOf(')')
  if (open < 1 || close < open) return undefined
  const fields = line.slice(close + 2).split(' ')
  const number = (field: number): number => Number(fields[field - 3])
  const stat = {
    pid: Number(line.slice(0, open).trim()),
    state: fields[0] ?? '',
    ppid: number(4),
    pgrp: number(5),
    session: number(6),
    cpuTicks: number(14) + number(15),
    threads: number(20),
    startTime: number(22),
    residentPages: number(24),
  }
  return Number.isSafeInteger(stat.pid) && Number.isSafeInteger(stat.startTime) ? stat : undefined
}

const buffer = Buffer.allocUnsafe(4096)

/** Undefined when there is no such process. */
export function readStat(pid: number): ProcessStat | undefined {
  const text = readSmall(`/proc/${pid}/stat`)
  return text === undefined ? undefined : parseStat(text)
}

/** True while exactly this process exists and is no zombie. */
export function isAlive(identity: ProcessIdentity): boolean {
  const stat = readStat(identity.pid)
  return stat !== undefined && stat.startTime === identity.startTime && stat.state !== 'Z' && stat.state !== 'X'
}

export function allPids(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && pid > 0)
}

/** The value of one variable in the environment a process was started with; undefined when absent or not readable. */
export function environmentOf(pid: number, name: string): string | undefined {
  const prefix = `${name}=`
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/environ`, 'latin1')
  } catch {
    // Gone, or another user's: both mean that it can't be told.
    return undefined
  }
  if (text.startsWith(prefix)) return text.slice(prefix.length).split('\0', 1)[0]
  const at = text.indexOf(`\0${prefix}`)
  return at < 0 ? undefined : text.slice(at + 1 + prefix.length).split('\0', 1)[0]
}

/** The argument list, NUL between the words; undefined when the process is gone. */
export function commandLineOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1')
  } catch (err) {
    if (isGone(err)) return undefined
    throw err
  }
}

/** Paths of what a process has open now, as far as they can be seen. */
export function openFilesOf(pid: number): readonly string[] {
  const directory = `/proc/${pid}/fd`
  try {
    return readdirSync(directory).flatMap((fd) => {
      try {
        return [readlinkSync(`${directory}/${fd}`)]
      } catch {
        // Closed since.
        return []
      }
    })
  } catch {
    // Gone, or another user's.
    return []
  }
}

/** Never is this process taken by the out-of-memory killer. Best effort: some containers don't let root do it. */
export function protectFromOom(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, String(NEVER_KILLED))
  } catch {
    // Not allowed, or gone.
  }
}

export function isSafeFromOom(pid: number): boolean {
  return readSmall(`/proc/${pid}/oom_score_adj`)?.trim() === String(NEVER_KILLED)
}

const NEVER_KILLED = -1000

/** The pid a pid file names; undefined when it names none (yet). */
export async function readPidFile(path: string): Promise<number | undefined> {
  const text = await readFile(path, 'latin1').catch((err: unknown) => {
    if (isGone(err)) return ''
    throw err
  })
  const match = /^\s*([1-9][0-9]{0,9})\s*$/.exec(text.split('\n', 1)[0] ?? '')
  return match === null ? undefined : Number(match[1])
}

const CLOSE_ON_EXEC = 0o2000000

/** Those that whoever started this process left open, found at the first look. */
let leftOpen: ReadonlySet<number> | undefined

/**
 * Descriptors of this process beyond the standard three that would pass on to its children: those without close-on-exec. Of what
 * is opened later only files are looked at, since all else is opened by Node, which sets it. There may be thousands, and every
 * child waits for this. One that was left open and is closed by now may be among them.
 */
export function inheritedDescriptors(): readonly number[] {
  const open = readdirSync('/proc/self/fd').map(Number)
  leftOpen ??= new Set(open.filter(isInherited))
  const known = leftOpen
  return open.filter((fd) => known.has(fd) || (isOnDisk(fd) && isInherited(fd)))
}

function isInherited(fd: number): boolean {
  const flags = fd > 2 ? /^flags:\s*([0-7]+)$/m.exec(readSmall(`/proc/self/fdinfo/${fd}`) ?? '')?.[1] : undefined
  return flags !== undefined && (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) === 0
}

function isOnDisk(fd: number): boolean {
  try {
    const stat = fstatSync(fd)
    return stat.isFile() || stat.isDirectory()
  } catch (err) {
    // Closed meanwhile, as the one through which the names were read.
    if ((err as NodeJS.ErrnoException).code === 'EBADF') return false
    throw err
  }
}

/** The start of a small file, into one buffer that is used again and again; half the cost of readFileSync. */
function readSmall(path: string): string | undefined {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch (err) {
    if (isGone(err)) return undefined
    throw err
  }
  try {
    return buffer.toString('latin1', 0, readSync(fd, buffer, 0, buffer.length, 0))
  } catch (err) {
    if (isGone(err)) return undefined
    throw err
  } finally {
    closeSync(fd)
  }
}

/** ENOENT at open, ESRCH at read: the process ended in between. */
function isGone(err: unknown): boolean {
  return err instanceof Error && 'code' in err && (err.code === 'ENOENT' || err.code === 'ESRCH')
}
