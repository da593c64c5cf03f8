import type { Logger } from '../base/log.ts'
import { nextTurn } from '../base/turn.ts'
import type { Instance } from './instance.ts'
import type { LaunchFiles } from './launch-files.ts'
import type { LogStore } from './log-store.ts'
import { readNote } from './note-file.ts'
import { isAlive } from './proc-stat.ts'
import type { ProcessTrees } from './process-tree.ts'
import type { RunObserver } from './run-observer.ts'
import type { Starter } from './starter.ts'
import type { ExtraFile, RunFile, StateDir } from './state-dir.ts'

/** Instances taken over side by side. */
const SLICE = 25

export interface AdoptionOptions {
  readonly dir: StateDir
  readonly files: LaunchFiles
  readonly logs: LogStore
  readonly observer: RunObserver
  readonly trees: ProcessTrees
  readonly starter: Starter
  readonly log: Logger
  readonly bootId: string
}

/** Takes over what an earlier server left of these Instances, without touching a program. */
export async function adoptAll(entries: readonly Instance[], options: AdoptionOptions): Promise<void> {
  for (let start = 0; start < entries.length; start += SLICE) {
    await Promise.all(entries.slice(start, start + SLICE).map((entry) => adopt(entry, options)))
    await nextTurn()
  }
}

async function adopt(entry: Instance, options: AdoptionOptions): Promise<void> {
  const { dir, files, logs, observer, trees, starter, log, bootId } = options
  const found = readNote(dir.file(entry.id, 'note'))
  entry.note = found?.note
  entry.noteSequence = found?.sequence ?? 0
  entry.file = dir.readLine<RunFile>(entry.id, 'run.json')
  entry.extra = dir.readLine<ExtraFile>(entry.id, 'extra.json')
  const file = entry.file
  const shim = entry.shim
  entry.shim = undefined
  if (file === undefined) return
  const isThisBoot = file.bootId === bootId
  if (isThisBoot) {
    // Before anything is read, or a death in between would be missed.
    observer.watch(entry)
    if (shim !== undefined && isAlive(shim) && dir.hasShim(entry.id)) entry.shim = shim
  }
  logs.adopt(entry.id, file, file.mark)
  await entry.exclusively(async () => {
    if (isThisBoot) {
      entry.main = dir.readPid(entry.id, file.attempt)
      entry.paused = trees.isPaused(entry.root)
    }
    if (entry.shim !== undefined) await trees.adopt(entry.root, entry.shim.pid)
    const run = await observer.refresh(entry)
    if (run !== undefined) {
      files.drop(entry, file.attempt, { found: true })
      return
    }
    await starter.command(entry, file).catch((err: unknown) => {
      log.error({ instance: entry.id, err }, 'Could not finish a start that an earlier server began')
    })
  })
}
