import type { BigIntStats } from 'node:fs'
import { join } from 'node:path'
import type { Millis } from '../base/clock.ts'
import type { Places } from './directory-places.ts'
import type { FoundFile, Walk } from './directory-walk.ts'
import type { QuickStat } from './quick-stat.ts'

/** A directory's time is as coarse as the kernel's tick: what changed in the same one as it was read can't be told from it. */
const COARSE: Millis = 1_000

/**
 * A tree as a walk found it. Names come and go only with the time of their directory, and a file or link changes with what stat
 * says of its path: so as long as all of that is as it was, the walk needn't be made again.
 */
export class RestingTree {
  readonly places: Places
  readonly #root: string
  readonly #directories: readonly (readonly [string, BigIntStats])[]
  readonly #files: readonly FoundFile[]

  /** Undefined when the walk can't stand for later ones. `now`: when it began, in milliseconds since the epoch. */
  static of(root: string, walk: Walk, now: Millis): RestingTree | undefined {
    if (walk.problems.length > 0) return undefined
    const isOld = ({ mtimeMs, ctimeMs }: BigIntStats): boolean => Number(mtimeMs) < now - COARSE && Number(ctimeMs) < now - COARSE
    return [...walk.directories.values()].every(isOld) ? new RestingTree(root, walk) : undefined
  }

  private constructor(root: string, { directories, files, kustomizations, places }: Walk) {
    this.places = places
    this.#root = root
    this.#directories = [...directories]
    this.#files = [...files, ...kustomizations.flatMap((each) => each.files)]
  }

  /** Whether it is as it was. Rejects with the signal's reason only. */
  async rests(quickStat: QuickStat, signal: AbortSignal, tick: () => void): Promise<boolean> {
    try {
      const isLocal = await quickStat.isLocal(this.#root, this.#directories[0]?.[1].dev ?? 0n)
      const isSame = async (path: string, before: BigIntStats): Promise<boolean> => {
        const now = await quickStat.of(join(this.#root, path), isLocal && before.dev === this.#directories[0]?.[1].dev)
        signal.throwIfAborted()
        tick()
        return isUnchanged(before, now)
      }
      for (const [path, stats] of this.#directories) if (!(await isSame(path, stats))) return false
      for (const { path, stats } of this.#files) if (!(await isSame(path, stats))) return false
      return true
    } catch {
      signal.throwIfAborted()
      // Something is gone: the walk will say what.
      return false
    }
  }
}

/** Every write, rename, replacement and change of rights shows in one of these. */
function isUnchanged(before: BigIntStats, now: BigIntStats): boolean {
  const isSameFile = now.ino === before.ino && now.dev === before.dev && now.birthtimeNs === before.birthtimeNs
  return isSameFile && now.mtimeNs === before.mtimeNs && now.ctimeNs === before.ctimeNs && now.size === before.size
}
