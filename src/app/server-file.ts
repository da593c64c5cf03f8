import { closeSync, constants, openSync, readFileSync, writeFileSync } from 'node:fs'
import nodeProcess from 'node:process'
import { bootId } from '../base/boot-id.ts'
import { isDiskRefusal } from '../base/disk-error.ts'

const RECORD_SIZE = 512

/** What a running server says of itself in `server.json`: enough to tell it from a later process of the same number. */
export interface ServerRecord {
  readonly pid: number
  /** Field 22 of /proc/PID/stat. */
  readonly startTime: string
  readonly bootId: string
  readonly version: string
}

export function writeServerRecord(file: string, version: string): ServerRecord {
  const pid = nodeProcess.pid
  const record = { pid, startTime: startTimeOf(pid) ?? '', bootId: bootId(), version }
  writeInPlace(file, JSON.stringify(record))
  return record
}

/**
 * The file stays, empty: on a full disk the next server would find no room for a new one. On a disk that takes nothing it
 * stays as it is, which says no more than after a kill.
 */
export function clearServerRecord(file: string): void {
  try {
    writeInPlace(file, '')
  } catch (err) {
    if (!isDiskRefusal(err)) throw err
  }
}

/** Always as long, so that what was there before is gone and needs no more room. */
function writeInPlace(file: string, text: string): void {
  const fd = openSync(file, constants.O_WRONLY | constants.O_CREAT, 0o600)
  try {
    writeFileSync(fd, `${text.padEnd(RECORD_SIZE - 1)}\n`)
  } finally {
    closeSync(fd)
  }
}

/** The server that wrote the file, if it is still the one that runs. */
export function runningServer(file: string): ServerRecord | undefined {
  let record: ServerRecord
  try {
    record = JSON.parse(readFileSync(file, 'utf8')) as ServerRecord
  } catch (err) {
    // No file: never started. Blank: stopped in order. Half a record: it died while writing, so it doesn't run.
    if (err instanceof SyntaxError || (err as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw err
  }
  return record.bootId === bootId() && startTimeOf(record.pid) === record.startTime ? record : undefined
}

/** Start time of a process in clock ticks since boot; undefined when there is none, or only its remains. */
export function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The second field is the name in parentheses and may hold blanks; the third, the state, follows the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? undefined : fields[19]
  } catch {
    // Gone: /proc has no such directory.
    return undefined
  }
}
