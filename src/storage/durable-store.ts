import type { Clock, Millis } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import { type Change, keyOfChange, type WindowBounds } from './change-window.ts'
import { CommittedState } from './committed-state.ts'
import { Compactor } from './compactor.ts'
import type { Disk, Operation } from './disk.ts'
import { changeFor, isAllowed, requireKey, type Write } from './expectation.ts'
import { GroupCommit } from './group-commit.ts'
import { encodeMarks } from './history-marks.ts'
import { COMPACTED_KEY, logKey, MARKS_KEY, REVISION_KEY } from './level-keys.ts'
import type { Loaded } from './level-load.ts'
import { operationsOf, readLog } from './level-log.ts'
import { encodeNumber } from './level-records.ts'
import { type Damage, undo } from './level-repair.ts'
import type { KeyValue, Page, RangeOptions, Revision, Store, StoreEvent } from './store.ts'
import { rootCause, StoreError } from './store-error.ts'

/** The newest history stays in memory; whoever resumes from further back is served from the disk. */
export const WINDOW: WindowBounds = { changes: 10_000, units: 8 * 1024 * 1024 }

/** Log records deleted in one batch: writes wait behind it. */
const SWEEP = 1_000
/** While the disk refuses, writes fail at once between two attempts to repair it. */
const REPAIR_EVERY: Millis = 1_000

export interface DurableStoreOptions {
  /** Owned by the store from now on. */
  readonly disk: Disk
  readonly loaded: Loaded
  readonly clock: Clock
  readonly log: Logger
  /** Of the machine. */
  readonly boot: string
  /** The disk, which is not open, takes no writes for now, and why: the store begins by waiting until it does. */
  readonly unwritable?: unknown
}

/** A queued or unsynced write: what its key will hold. */
interface Ahead {
  readonly revision: Revision
  readonly kv: KeyValue | undefined
  /** Resolves when the write has succeeded or failed. */
  readonly settled: Promise<void>
}

/** A change, or only operations that nobody sees. */
interface Entrant {
  readonly change?: Change
  readonly operations: readonly Operation[]
}

export class DurableStore implements Store {
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #log: Logger
  readonly #boot: string
  readonly #state: CommittedState
  readonly #commits: GroupCommit<Entrant>
  readonly #compactor: Compactor
  /** What the queued writes will have done, by key: later writes build on it, readers don't see it. */
  readonly #ahead = new Map<string, Ahead>()
  /** The last revision given to a write, acknowledged or not. */
  #assigned: Revision
  #sweptTo: Revision
  #damage: Damage | undefined
  #cancelRepair: (() => void) | undefined
  #repairing: Promise<void> | undefined
  #closing: Promise<void> | undefined

  constructor({ disk, loaded, clock, log, boot, unwritable }: DurableStoreOptions) {
    this.#disk = disk
    this.#clock = clock
    this.#log = log
    this.#boot = boot
    this.#assigned = loaded.revision
    this.#sweptTo = loaded.sweptTo
    this.#state = new CommittedState({
      clock,
      revision: loaded.revision,
      compacted: loaded.compacted,
      window: WINDOW,
      windowStart: loaded.changesAfter,
      older: (after, upTo) => readLog(disk, after, upTo),
    })
    for (const kv of loaded.values.values()) this.#state.load(kv)
    for (const change of loaded.changes) this.#state.loadChange(change)
    this.#commits = new GroupCommit({
      write: (entries) => this.#writeBatch(entries),
      committed: (entries) => this.#committed(entries),
      failed: (entries, cause) => this.#failed(entries, cause),
    })
    const compact = (before: Revision): Promise<void> => this.compact(before)
    this.#compactor = new Compactor({ clock, log, extent: () => this.#state, compact, marks: loaded.marks })
    if (unwritable !== undefined) this.#refuse([], unwritable)
  }

  /** How many watches are open: a test for leaks. */
  get watchers(): number {
    return this.#state.watchers
  }

  revision(): Revision {
    return this.#state.revision
  }

  refusal(): string | undefined {
    return this.#damage === undefined ? undefined : unavailable(this.#damage.cause).message
  }

  async get(key: string): Promise<KeyValue | undefined> {
    this.#requireOpen()
    return this.#state.get(key)
  }

  async range(prefix: string, options?: RangeOptions): Promise<Page> {
    this.#requireOpen()
    return this.#state.range(prefix, options)
  }

  async put(key: string, value: string, expect: Revision): Promise<KeyValue> {
    const change = await this.#write({ key, value, expect })
    return change.type === 'put' ? change.kv : change.prev
  }

  async delete(key: string, expect: Revision): Promise<Revision> {
    const change = await this.#write({ key, value: undefined, expect })
    return change.revision
  }

  watch(prefix: string, after: Revision, signal: AbortSignal): AsyncIterable<StoreEvent> {
    return this.#state.watch(prefix, after, signal)
  }

  async compact(before: Revision): Promise<void> {
    this.#requireOpen()
    this.#state.checkCompaction(before)
    // In memory first: from here on nobody starts to read the records that go.
    this.#state.compactTo(before)
    // What a closing store leaves over is swept after its next start.
    while (this.#sweptTo < this.#state.compacted && this.#closing === undefined) {
      if (this.#damage !== undefined) {
        await this.#requireRepaired()
        continue
      }
      const upTo = Math.min(this.#sweptTo + SWEEP, this.#state.compacted)
      const operations: Operation[] = [{ type: 'put', key: COMPACTED_KEY, value: encodeNumber(this.#state.compacted) }]
      for (let revision = this.#sweptTo + 1; revision <= upTo; revision++) operations.push({ type: 'del', key: logKey(revision) })
      await this.#commits.submit({ operations })
      this.#sweptTo = Math.max(this.#sweptTo, upTo)
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#compactor.close()
    await this.#commits.idle()
    // Its failure was told to the writers that waited for it.
    await this.#repairing?.catch(() => {})
    // The last chance to undo a batch of which it was said that it failed.
    if (this.#damage !== undefined) {
      await this.#repair({ ...this.#damage, retryAt: this.#clock.monotonic() }).catch((err: unknown) => {
        this.#log.error({ err }, 'The store closes unrepaired; writes that were refused may be found at the next start')
      })
    }
    this.#cancelRepair?.()
    this.#state.close()
    await this.#disk.close()
  }

  async #write(write: Write): Promise<Change> {
    requireKey(write.key)
    for (;;) {
      this.#requireOpen()
      if (this.#damage !== undefined) {
        await this.#requireRepaired()
        continue
      }
      const ahead = this.#ahead.get(write.key)
      const prev = ahead === undefined ? this.#state.get(write.key) : ahead.kv
      if (ahead !== undefined && !isAllowed(write, prev)) {
        // What refuses this write may itself still fail: a Conflict, too, speaks only of what is durable.
        await ahead.settled
        continue
      }
      const change = changeFor(write, prev, this.#assigned + 1)
      this.#assigned = change.revision
      const done = this.#commits.submit({ change, operations: operationsOf(change) })
      const kv = change.type === 'put' ? change.kv : undefined
      const settled = done.catch(() => {})
      this.#ahead.set(write.key, { revision: change.revision, kv, settled })
      await done
      return change
    }
  }

  async #writeBatch(entries: readonly Entrant[]): Promise<void> {
    const operations = entries.flatMap((entry) => entry.operations)
    const last = entries.findLast((entry) => entry.change !== undefined)?.change
    if (last !== undefined) operations.push({ type: 'put', key: REVISION_KEY, value: encodeNumber(last.revision) })
    const marks = this.#compactor.takeMarks()
    if (marks !== undefined) {
      const era = { now: this.#clock.monotonic(), boot: this.#boot }
      operations.push({ type: 'put', key: MARKS_KEY, value: encodeMarks(marks, era) })
    }
    await this.#disk.write(operations)
  }

  #committed(entries: readonly Entrant[]): void {
    const changes = changesOf(entries)
    for (const change of changes) {
      const key = keyOfChange(change)
      if (this.#ahead.get(key)?.revision === change.revision) this.#ahead.delete(key)
    }
    const last = changes.at(-1)
    if (last === undefined) return
    this.#state.commit(changes, last.revision)
    this.#compactor.noticed()
  }

  #failed(entries: readonly Entrant[], cause: unknown): Error {
    // Whatever is queued behind the batch fails with it and never reached the disk.
    this.#ahead.clear()
    this.#refuse(changesOf(entries).map(keyOfChange), cause)
    return unavailable(cause)
  }

  /** From here on writes fail at once, until the disk has taken one that undoes those of these keys. */
  #refuse(keys: readonly string[], cause: unknown): void {
    this.#log.error({ err: cause }, 'The store cannot write to its disk: writes are refused until it can, all else goes on')
    this.#damage = { keys: [...(this.#damage?.keys ?? []), ...keys], cause, retryAt: this.#clock.monotonic() }
    this.#repairLater()
  }

  /** Also without anybody who writes. */
  #repairLater(): void {
    this.#cancelRepair?.()
    this.#cancelRepair = this.#clock.schedule(REPAIR_EVERY, () => {
      if (this.#closing !== undefined) return
      // A failure says nothing new, and schedules the next attempt.
      this.#requireRepaired().catch(() => {})
    })
  }

  /** Throws StoreError(Unavailable) while the disk refuses. */
  async #requireRepaired(): Promise<void> {
    if (this.#damage === undefined) return
    this.#repairing ??= this.#repair(this.#damage).finally(() => {
      this.#repairing = undefined
    })
    await this.#repairing
  }

  /**
   * A failed batch may be on the disk, be gone, or come to light later, and LevelDB's own log may end in half a record, behind
   * which nothing would be found again. So the database is read anew, and the batch is undone whether it is there or not.
   */
  async #repair(damage: Damage): Promise<void> {
    if (this.#clock.monotonic() < damage.retryAt) throw unavailable(damage.cause)
    try {
      await this.#disk.reopen()
      await undo(this.#disk, { damage, state: this.#state, assigned: this.#assigned })
    } catch (err) {
      this.#damage = { ...damage, cause: err, retryAt: this.#clock.monotonic() + REPAIR_EVERY }
      this.#repairLater()
      throw unavailable(err)
    }
    this.#cancelRepair?.()
    this.#state.commit([], this.#assigned)
    this.#damage = undefined
    this.#log.info({ revision: this.#assigned }, 'The store writes to its disk again')
  }

  #requireOpen(): void {
    if (this.#closing !== undefined) throw new StoreError('Closed', 'The store is closed')
  }
}

function changesOf(entries: readonly Entrant[]): Change[] {
  return entries.flatMap(({ change }) => (change === undefined ? [] : [change]))
}

function unavailable(cause: unknown): StoreError {
  const message = `The store cannot write to its disk: ${rootCause(cause)}. Nothing was changed; it goes on by itself once the disk takes writes`
  return new StoreError('Unavailable', message, { cause })
}
