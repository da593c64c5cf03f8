import { type BigIntStats, statSync } from 'node:fs'
import { stat, statfs } from 'node:fs/promises'
import type { Clock, Millis } from '../base/clock.ts'
import { nextTurn } from '../base/turn.ts'

/**
 * Types of file systems, as statfs(2) has them, that answer from memory for what was looked at before: ext2 to 4, XFS, Btrfs,
 * tmpfs, overlayfs, ZFS, F2FS. Not those of the network and of FUSE, which may never answer.
 */
const LOCAL: ReadonlySet<bigint> = new Set([0xef53n, 0x5846_5342n, 0x9123_683en, 0x0102_1994n, 0x794c_7630n, 0x2fc1_2fc1n, 0xf2f5_2010n])

/** How long others wait at most, but for one call. */
const SLICE: Millis = 2
/** A call that takes longer has asked the disk. */
const SLOW: Millis = 5
/** More than one slow call in so many: memory doesn't hold them. A few are slow because others had the processor. */
const SLOW_OF = 50

/**
 * stat(2) for one walk over many files. Through Node's threads it costs thirty microseconds of processor time, most of it for the
 * way there and back, and ten thousand files are looked at each minute although none has changed. Directly it costs four, but
 * holds up everything else: so that is done only where the answer is in memory, and in slices.
 */
export class QuickStat {
  readonly #clock: Clock
  readonly #local = new Map<bigint, boolean>()
  #sliceEnds: Millis = 0
  #slow = 0
  #asked = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Whether files of this directory may be asked for directly. */
  async isLocal(directory: string, dev: bigint): Promise<boolean> {
    const known = this.#local.get(dev)
    if (known !== undefined) return known
    const { type } = await statfs(directory, { bigint: true })
    this.#local.set(dev, LOCAL.has(type))
    return LOCAL.has(type)
  }

  /** `isWarm`: it is in a local directory, and was looked at before. */
  async of(path: string, isWarm: boolean): Promise<BigIntStats> {
    this.#asked += 1
    if (!isWarm || this.#slow * SLOW_OF > this.#asked + 2 * SLOW_OF) return await stat(path, { bigint: true })
    const begin = this.#clock.monotonic()
    if (begin > this.#sliceEnds) {
      await nextTurn()
      this.#sliceEnds = this.#clock.monotonic() + SLICE
    }
    const before = this.#clock.monotonic()
    const stats = statSync(path, { bigint: true })
    if (this.#clock.monotonic() - before > SLOW) this.#slow += 1
    return stats
  }
}
