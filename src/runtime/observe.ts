import { type Clock, epochOf, type Millis, timestampOf } from '../base/clock.ts'
import { isAlive, type ProcessIdentity, readStat } from './proc-stat.ts'
import { isLive } from './process-tree.ts'
import type { Exit, InstanceId, Run } from './runtime.ts'
import type { ExitRecord } from './shim.ts'
import { signalName } from './signals.ts'
import type { ExtraFile, RunFile, StateDir } from './state-dir.ts'

/** What the records and the process table say of one attempt at this moment. Nothing is remembered in between. */
export type Observation =
  /** Asked for, and no trace of it yet. */
  | { readonly state: 'pending' }
  | { readonly state: 'running'; readonly main: ProcessIdentity; readonly supervised: boolean }
  /** The program is gone and its shim hasn't said how; a matter of milliseconds. */
  | { readonly state: 'ending'; readonly main: ProcessIdentity }
  /** The first process has ended well and a daemon is to be found. */
  | { readonly state: 'forked'; readonly first: ProcessIdentity; readonly since: Millis; readonly exit: Exit }
  /** The program is gone, and nobody is there to say how. */
  | { readonly state: 'lost' }
  /** The daemon found by its pid file is gone. */
  | { readonly state: 'daemon gone' }
  | { readonly state: 'exited'; readonly exit: Exit; readonly monotonic: Millis }

export interface ObserveContext {
  readonly dir: StateDir
  readonly clock: Clock
  readonly bootId: string
}

export function observe(instance: InstanceId, file: RunFile, extra: ExtraFile | undefined, context: ObserveContext): Observation {
  const { dir, clock, bootId } = context
  const known = extra?.attempt === file.attempt ? extra : undefined
  const isThisBoot = file.bootId === bootId
  if (known?.end !== undefined) {
    return { state: 'exited', exit: exitOfEnd(known.end), monotonic: isThisBoot ? known.end.monotonic : 0 }
  }
  const record = dir.readExit(instance, file.attempt)
  if (record !== undefined) {
    const { exit, monotonic } = exitOfRecord(record, file, clock, isThisBoot)
    if (file.pidFile === undefined || !isThisBoot || record.status !== 0) return { state: 'exited', exit, monotonic }
    const first = dir.readPid(instance, file.attempt)
    if (known?.main !== undefined) {
      return isAlive(known.main) ? { state: 'running', main: known.main, supervised: true } : { state: 'daemon gone' }
    }
    return first === undefined ? { state: 'exited', exit, monotonic } : { state: 'forked', first, since: monotonic, exit }
  }
  if (!isThisBoot) {
    return { state: 'exited', exit: { by: 'unknown', reason: 'Reboot', at: clock.now() }, monotonic: 0 }
  }
  const main = dir.readPid(instance, file.attempt)
  if (main === undefined) return { state: 'pending' }
  const stat = readStat(main.pid)
  const hasShim = dir.hasShim(instance)
  if (stat !== undefined && stat.startTime === main.startTime && isLive(stat)) {
    return { state: 'running', main, supervised: hasShim && stat.ppid === dir.readShim(instance)?.pid }
  }
  // The record is written after the process has gone, and a shim that has gone writes none: look once more, in this order.
  if (dir.readExit(instance, file.attempt) !== undefined) return observe(instance, file, extra, context)
  return hasShim ? { state: 'ending', main } : { state: 'lost' }
}

/** The Run that callers see. A run of which nothing can be told yet counts as running. */
export function runOf(
  file: RunFile,
  bootId: string,
  seen: Observation,
  { leftovers, paused, oomKills }: { readonly leftovers: boolean; readonly paused: boolean; readonly oomKills: number },
): Run | undefined {
  const base = {
    id: file.id,
    instance: file.id.slice(0, file.id.lastIndexOf('.')) as InstanceId,
    startedAt: file.startedAt,
    startedAtMonotonic: file.bootId === bootId ? file.startedAtMonotonic : 0,
    ...(file.memo === undefined ? {} : { memo: file.memo }),
  }
  switch (seen.state) {
    case 'running':
      return { ...base, state: 'running', pid: seen.main.pid, supervised: seen.supervised, paused }
    case 'ending':
      return { ...base, state: 'running', pid: seen.main.pid, supervised: true, paused }
    case 'forked':
      return { ...base, state: 'running', pid: seen.first.pid, supervised: true, paused }
    case 'exited':
      return { ...base, state: 'exited', exit: withKills(seen.exit, oomKills), exitedAtMonotonic: seen.monotonic, leftovers }
    case 'pending':
    case 'lost':
    case 'daemon gone':
      return undefined
  }
}

function withKills(exit: Exit, oomKills: number): Exit {
  return oomKills > 0 && exit.by !== 'unknown' ? { ...exit, oomKills } : exit
}

function exitOfEnd(end: NonNullable<ExtraFile['end']>): Exit {
  if (end.reason === 'Killed') return { by: 'signal', signal: 'KILL', at: end.at }
  return { by: 'unknown', reason: end.reason, at: end.at }
}

function exitOfRecord(
  record: ExitRecord & { readonly epoch: Millis },
  file: RunFile,
  clock: Clock,
  isThisBoot: boolean,
): { readonly exit: Exit; readonly monotonic: Millis } {
  // The file's time comes from a coarse clock and may lie some milliseconds back, before the start even.
  const at = timestampOf(Math.max(Math.round(record.epoch), epochOf(file.startedAt)))
  const exit: Exit = record.bySignal
    ? { by: 'signal', signal: signalName(record.status - 128), at }
    : { by: 'code', code: record.status, at }
  const now = clock.monotonic()
  const ago = epochOf(clock.now()) - record.epoch
  const monotonic = isThisBoot ? Math.min(now, Math.max(file.startedAtMonotonic, now - ago)) : 0
  return { exit, monotonic }
}
