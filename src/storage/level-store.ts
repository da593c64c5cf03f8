import { existsSync } from 'node:fs'
import { chmod, mkdir, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Level } from 'level'
import { bootId } from '../base/boot-id.ts'
import type { Clock } from '../base/clock.ts'
import { type Logger, silentLogger } from '../base/log.ts'
import type { Disk, Entry, Operation } from './disk.ts'
import { DurableStore, WINDOW } from './durable-store.ts'
import { DamagedFile } from './level-format.ts'
import type { KeyRange } from './level-keys.ts'
import { type Loaded, loadStore } from './level-load.ts'
import { inShadow, isFull } from './level-shadow.ts'
import { isInUse, verifyDatabase } from './level-verify.ts'
import { rootCause, StoreError } from './store-error.ts'

/** Makes a batch durable. */
export type WriteBatch = (operations: readonly Operation[]) => Promise<void>

export interface LevelStoreOptions {
  /** A directory of its own, made if need be, and closed to other users. */
  readonly path: string
  readonly clock: Clock
  readonly log?: Logger
  /** What the monotonic clock counts from: this boot of the machine, or another one in a test. */
  readonly boot?: string
  /** Stands between the store and LevelDB's synced batch, so that a test can be a disk that fails. */
  readonly batch?: (write: WriteBatch, operations: readonly Operation[]) => Promise<void>
}

/**
 * A store in a LevelDB directory, which one server at a time can hold. Throws StoreError: Unavailable when another server
 * holds it or it can't be read, Corrupt when what is there is damaged or newer; both say what to do.
 */
export async function openLevelStore(options: LevelStoreOptions): Promise<DurableStore> {
  const { path, clock, log = silentLogger, boot = bootId(), batch = (write, operations) => write(operations) } = options
  const disk = await openDisk(path, batch)
  try {
    const { loaded, unwritable } = await load(disk, log, (from) => loadStore(from, WINDOW, { now: clock.monotonic(), boot }))
    return new DurableStore({ disk, loaded, clock, log, boot, ...(unwritable === undefined ? {} : { unwritable }) })
  } catch (err) {
    await disk.close()
    throw err instanceof StoreError ? err : openError(path, err)
  }
}

/** What is on the disk; also on one without any room, which is no reason to leave the processes alone: `unwritable` says why. */
async function load(
  disk: LevelDisk,
  log: Logger,
  read: (disk: Disk) => Promise<Loaded>,
): Promise<{ readonly loaded: Loaded; readonly unwritable?: unknown }> {
  try {
    const create = await isNew(disk.path)
    if (!create) await verify(disk.path, log)
    await disk.open({ create })
    return { loaded: await read(disk) }
  } catch (err) {
    if (!isFull(err)) throw err
    await disk.close()
    const refuse = (): Promise<never> => Promise.reject(err)
    const open = async (shadow: string): Promise<LevelDisk> => new LevelDisk(disk.path, refuse, await openLevel(shadow, { create: false }))
    return { loaded: await inShadow(disk.path, open, read), unwritable: err }
  }
}

async function verify(path: string, log: Logger): Promise<void> {
  try {
    await verifyDatabase(path, log)
  } catch (err) {
    // LevelDB, which knows for sure, must not see damaged files.
    throw (await isInUse(path)) ? Object.assign(new Error('The database is in use', { cause: err }), { code: 'LEVEL_LOCKED' }) : err
  }
}

/** Not open yet. */
async function openDisk(path: string, batch: NonNullable<LevelStoreOptions['batch']>): Promise<LevelDisk> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
    if (((await stat(path)).mode & 0o777) !== 0o700) await chmod(path, 0o700)
    return new LevelDisk(path, batch)
  } catch (err) {
    throw openError(path, err)
  }
}

class LevelDisk implements Disk {
  readonly path: string
  readonly #batch: NonNullable<LevelStoreOptions['batch']>
  #open: Level<string, string> | undefined

  constructor(path: string, batch: NonNullable<LevelStoreOptions['batch']>, level?: Level<string, string>) {
    this.path = path
    this.#open = level
    this.#batch = batch
  }

  get #level(): Level<string, string> {
    if (this.#open === undefined) throw new Error(`The database in ${this.path} is not open`)
    return this.#open
  }

  async get(key: string): Promise<string | undefined> {
    return this.#level.get(key)
  }

  async *entries(range: KeyRange): AsyncGenerator<readonly Entry[], void, undefined> {
    const iterator = this.#level.iterator(range)
    try {
      for (let page = await iterator.nextv(PAGE); page.length > 0; page = await iterator.nextv(PAGE)) yield page
    } finally {
      await iterator.close()
    }
  }

  async *keys(range: KeyRange): AsyncGenerator<readonly string[], void, undefined> {
    const iterator = this.#level.keys(range)
    try {
      for (let page = await iterator.nextv(PAGE); page.length > 0; page = await iterator.nextv(PAGE)) yield page
    } finally {
      await iterator.close()
    }
  }

  async write(operations: readonly Operation[]): Promise<void> {
    return this.#batch((all) => this.#commit(all), operations)
  }

  /** As a chained batch: each operation goes straight into LevelDB's own buffer, at a fifth of what an array of them costs. */
  async #commit(operations: readonly Operation[]): Promise<void> {
    const batch = this.#level.batch()
    for (const operation of operations) {
      if (operation.type === 'put') batch.put(operation.key, operation.value)
      else batch.del(operation.key)
    }
    await batch.write({ sync: true })
    // LevelDB goes on writing to files that were deleted, and what it writes is gone with it.
    this.#requireThere()
  }

  async open(options: { readonly create: boolean }): Promise<void> {
    this.#open = await openLevel(this.path, options)
  }

  async reopen(): Promise<void> {
    await this.close()
    this.#requireThere()
    await this.open({ create: false })
  }

  #requireThere(): void {
    if (existsSync(join(this.path, 'CURRENT'))) return
    const wayOut = 'All is in memory still: pmk server backup FILE saves it, pmk server restore FILE brings it back'
    throw new Error(`${this.path} was deleted. ${wayOut}`)
  }

  async close(): Promise<void> {
    const level = this.#open
    this.#open = undefined
    await level?.close()
  }
}

const PAGE = 1_000

/** Never makes a new database where there is a part of one: that would take the rest for rubbish and delete it. */
export async function openLevel(path: string, options: { readonly create: boolean }): Promise<Level<string, string>> {
  // Reads come from memory, so LevelDB needs hardly a cache of its own.
  const level = new Level(path, { keyEncoding: 'utf8', valueEncoding: 'utf8', cacheSize: 1024 * 1024, createIfMissing: options.create })
  await level.open()
  return level
}

/** Files that only a database has. */
const PARTS = /^(MANIFEST-\d+|\d+\.(log|ldb|sst))$/

/** True when there is nothing at all. StoreError(Corrupt) when the database lacks the file that names its other files. */
async function isNew(path: string): Promise<boolean> {
  const names = await readdir(path)
  if (names.includes('CURRENT')) return false
  const part = names.find((name) => PARTS.test(name))
  if (part === undefined) return true
  throw new StoreError('Corrupt', `The store in ${path} is damaged: its file CURRENT is missing, although there is ${part}. ${WAY_OUT}`)
}

const WAY_OUT =
  'Nothing was changed. Restore a backup (pmk server restore FILE --force), or move the directory away and apply your manifests again'

/** True when another process has the store open. */
export function isLocked(err: unknown): boolean {
  return err instanceof Error && (('code' in err && err.code === 'LEVEL_LOCKED') || isLocked(err.cause))
}

function openError(path: string, err: unknown): StoreError {
  for (let cause = err; cause instanceof Error; cause = cause.cause) {
    const code = 'code' in cause ? cause.code : undefined
    if (code === 'LEVEL_LOCKED') {
      return new StoreError('Unavailable', `Another server uses the store in ${path}: stop it first, or use another directory`, {
        cause: err,
      })
    }
    if (code === 'LEVEL_CORRUPTION' || cause instanceof DamagedFile) {
      return new StoreError('Corrupt', `The store in ${path} is damaged: ${cause.message}. ${WAY_OUT}`, { cause: err })
    }
  }
  return new StoreError('Unavailable', `The store in ${path} cannot be opened: ${rootCause(err)}`, { cause: err })
}
