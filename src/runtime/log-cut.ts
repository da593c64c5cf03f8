import { closeSync, ftruncateSync, openSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { isDiskRefusal } from '../base/disk-error.ts'
import { runTool, type SpawnChild } from './child.ts'
import type { HostTools } from './host.ts'

/**
 * How the head of a log file that is being written to is taken off. `collapse` takes it away, `punch` leaves a hole
 * (positions stay), `truncate` empties the file and may lose what is written at that moment.
 */
export type CutMode = 'collapse' | 'punch' | 'truncate'

/** Offsets of cuts are multiples of this; every file system with collapse or punch in use on Linux has it or a divisor. */
export const BLOCK = 4096

export interface CutTools {
  readonly host: HostTools
  readonly spawn: SpawnChild
}

/**
 * Finds out what the file system of this directory can do, by doing it to a scratch file. That is one great hole and stays there:
 * a full disk has room for it, too. Where not even an empty file can be made, `truncate` is what is sure to work.
 */
export async function probeCutMode(directory: string, tools: CutTools): Promise<CutMode> {
  const fallocate = tools.host.tools.get('fallocate')
  if (fallocate === undefined || !tools.host.tools.has('flock')) return 'truncate'
  const file = join(directory, '.probe')
  try {
    makeHole(file)
    const collapsed = await runTool(tools.spawn, fallocate, ['-c', '-o', '0', '-l', String(BLOCK), '--', file])
    if (collapsed.code === 0 && statSync(file).size === HOLE - BLOCK) return 'collapse'
    makeHole(file)
    const punched = await runTool(tools.spawn, fallocate, ['-p', '-o', '0', '-l', String(BLOCK), '--', file])
    return punched.code === 0 && statSync(file).size === HOLE ? 'punch' : 'truncate'
  } catch (err) {
    if (isDiskRefusal(err)) return 'truncate'
    throw err
  }
}

const HOLE = 3 * BLOCK

function makeHole(file: string): void {
  const fd = openSync(file, 'w', 0o600)
  try {
    ftruncateSync(fd, HOLE)
  } finally {
    closeSync(fd)
  }
}

/**
 * Takes `length` bytes at `offset` off, unless the note is gone: a child of a dead server that comes late finds no note.
 */
export async function cut(
  mode: CutMode,
  options: { readonly file: string; readonly lock: string; readonly note: string; readonly offset: number; readonly length: number },
  tools: CutTools,
): Promise<void> {
  const { file, lock, note, offset, length } = options
  const fallocate = tools.host.tools.get('fallocate') ?? 'fallocate'
  const script =
    mode === 'truncate'
      ? '[ -e "$1" ] && : >"$4"; :'
      : `[ -e "$1" ] || exit 0; exec "$5" ${mode === 'collapse' ? '-c' : '-p'} -o "$2" -l "$3" -- "$4"`
  const words = ['-c', script, '-', note, String(offset), String(length), file, fallocate]
  const flock = tools.host.tools.get('flock')
  const { code, stderr } =
    flock === undefined
      ? await runTool(tools.spawn, tools.host.shell, words)
      : await runTool(tools.spawn, flock, [lock, tools.host.shell, ...words])
  if (code !== 0) throw new Error(`Could not take the head off ${file}: ${stderr || `exit ${code}`}`)
}

/** Resolves when no cut asked for earlier, by a server that has gone, is under way. */
export async function awaitCuts(lock: string, tools: CutTools): Promise<void> {
  const flock = tools.host.tools.get('flock')
  if (flock !== undefined) await runTool(tools.spawn, flock, [lock, tools.host.shell, '-c', ':'])
}
