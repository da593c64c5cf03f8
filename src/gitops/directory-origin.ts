import { createHash } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Clock, epochOf, type Millis } from '../base/clock.ts'
import { jsonEqual } from '../base/json.ts'
import { printable } from '../base/printable.ts'
import { formatBytes } from '../base/quantity.ts'
import type { Problem } from '../manifest/manifest.ts'
import { digestOf, fingerprintOf, type Known, knownAs, readWhole, type Unread } from './directory-file.ts'
import { placesOf } from './directory-places.ts'
import { type FoundFile, type FoundKustomization, TooLargeError, type Walk, walkDirectory, wordsFor } from './directory-walk.ts'
import { DirectoryWatch } from './directory-watch.ts'
import type { Built, KustomizeOptions } from './kustomize.ts'
import { LookTurns, PATIENCE } from './look-turns.ts'
import { QuickStat } from './quick-stat.ts'
import { RestingTree } from './resting-tree.ts'
import type { Fetched, ManifestOrigin, Snapshot, SourceFile } from './snapshot.ts'

/** A file that changed so recently may be changing still. */
const SETTLED: Millis = 500
/** An empty file is about to be filled; one that stays empty is a mistake. */
const EMPTY_FOR: Millis = 10_000
/** Whether a look that was given up has ended is asked this often. */
const LOOKING: Millis = 1_000
/** In bytes; no file of manifests is so large. */
const LARGEST_FILE = 64 * 1024 * 1024

/** Builds the manifests of a directory with a kustomization. */
export type Kustomize = (directory: string, options: KustomizeOptions) => Promise<Built>

export interface DirectoryOriginOptions {
  /** Absolute. */
  readonly path: string
  readonly clock: Clock
  readonly kustomize: Kustomize
  /** Shared by all directories of a server. Absent: it is the only one. */
  readonly turns?: LookTurns
  /** False: changes are found by looking only. */
  readonly fileEvents?: boolean
}

interface Look {
  /** When it began, in milliseconds since the epoch. */
  readonly begin: Millis
  readonly walk: Walk
  readonly read: ReadonlyMap<string, Known | Unread>
}

interface Seen {
  readonly fingerprint: string
  readonly since: Millis
}

/**
 * A directory on this host. Files that are as they were are not read again, and give the same objects as before.
 *
 * Nothing is given out while anything is being written: neither a file that changed within half a second, nor a directory from which
 * something has gone within that time. So what vim, emacs, nano, `sed -i`, rsync and git do to a file is seen when it is done. A
 * tree that is copied with longer pauses is given out in parts, which adds to what was there before; who needs all of a change
 * at once moves a directory or swaps a link.
 */
export class DirectoryOrigin implements ManifestOrigin {
  readonly #options: DirectoryOriginOptions
  readonly #turns: LookTurns
  readonly #watch = new DirectoryWatch()
  #known: ReadonlyMap<string, Known> = new Map()
  #snapshot: Snapshot | undefined
  /** What need not be walked again while nothing of it changes. */
  #resting: { readonly tree: RestingTree; readonly snapshot: Snapshot } | undefined
  #lookingSince: Millis | undefined
  #firstLook: Millis | undefined
  /** Of files whose times lie ahead: since when each has been seen as it is. By the newest look, and by the one before. */
  #ahead = new Map<string, Seen>()
  #aheadBefore: ReadonlyMap<string, Seen> = new Map()

  constructor(options: DirectoryOriginOptions) {
    this.#options = options
    this.#turns = options.turns ?? new LookTurns(options.clock)
  }

  async fetch(signal: AbortSignal): Promise<Fetched> {
    const { path, clock } = this.#options
    const since = this.#lookingSince
    if (since !== undefined) {
      // One that was given up is still at it.
      if (clock.monotonic() - since >= PATIENCE) return this.#noAnswer(false)
      return { type: 'unsettled', path: printable(path), retryAfter: LOOKING }
    }
    const looked = await this.#turns.run((inner, tick) => this.#look(inner, tick), signal)
    if ('type' in looked) return looked.type === 'no answer' ? this.#noAnswer(looked.elsewhere) : looked
    return await this.#gather(looked, signal)
  }

  watch(onChange: () => void, signal: AbortSignal): { readonly degraded: () => string | undefined } {
    if (this.#options.fileEvents === false) return { degraded: () => 'file events are switched off' }
    this.#watch.start(onChange, signal)
    return { degraded: () => this.#watch.degraded }
  }

  async discard(): Promise<void> {
    this.#known = new Map()
    this.#snapshot = undefined
    this.#resting = undefined
  }

  #noAnswer(elsewhere: boolean): Fetched {
    const where = elsewhere ? 'it was not looked at, as the file systems of other sources do not answer' : 'its file system does not answer'
    return { type: 'failed', reason: 'PathUnreadable', message: `${printable(this.#options.path)}: ${where}` }
  }

  async #look(signal: AbortSignal, tick: () => void): Promise<Look | (Fetched & { readonly type: 'failed' | 'snapshot' })> {
    const { path, clock } = this.#options
    this.#lookingSince = clock.monotonic()
    try {
      const quickStat = new QuickStat(clock)
      const begin = epochOf(clock.now())
      const rested = this.#resting
      this.#resting = undefined
      if (rested !== undefined && (await rested.tree.rests(quickStat, signal, tick))) {
        this.#resting = rested
        // A watch that was lost meanwhile is asked for again.
        this.#watch.follow(rested.tree.places)
        return { type: 'snapshot', snapshot: rested.snapshot }
      }
      const isKnown = (file: string): boolean => this.#known.has(file)
      const walk = await walkDirectory(path, { signal, tick, isKnown, quickStat })
      signal.throwIfAborted()
      this.#watch.follow(walk.places)
      this.#aheadBefore = this.#ahead
      this.#ahead = new Map()
      const read = new Map<string, Known | Unread>()
      for (const file of walk.files) {
        read.set(file.path, this.#unchanged(file) ?? (await this.#file(file)))
        signal.throwIfAborted()
        tick()
      }
      return { walk, read, begin }
    } catch (err) {
      signal.throwIfAborted()
      if (err instanceof TooLargeError) return { type: 'failed', reason: 'TooLarge', message: err.message }
      const { code } = err as NodeJS.ErrnoException
      if (code === undefined) throw err
      // Its parent tells when it is there again.
      const places = await placesOf(path)
      signal.throwIfAborted()
      this.#watch.follow(places)
      const message = `${printable(path)}: ${wordsFor(err as NodeJS.ErrnoException)}`
      return { type: 'failed', reason: code === 'ENOENT' ? 'PathNotFound' : 'PathUnreadable', message }
    } finally {
      this.#lookingSince = undefined
    }
  }

  /** What a look came to. Kustomizations are built by a program, which may take its time and can be ended. */
  async #gather({ walk, read, begin }: Look, signal: AbortSignal): Promise<Fetched> {
    const known = new Map<string, Known>()
    const problems: Problem[] = [...walk.problems]
    let unsettled: { readonly path: string; readonly retryAfter: Millis } | undefined
    const take = (path: string, result: Known | Unread): void => {
      if ('digest' in result) known.set(path, result)
      else if (result.type === 'problem') problems.push({ file: printable(path), message: result.message })
      else if (result.retryAfter > (unsettled?.retryAfter ?? 0)) unsettled = { path: printable(path), retryAfter: result.retryAfter }
    }
    for (const [path, result] of read) take(path, result)
    for (const found of walk.kustomizations) take(kustomizationPath(found), await this.#kustomization(found, signal))
    const gone = this.#goneJustNow(walk, read)
    if (gone !== undefined) unsettled ??= gone
    // A file that can't be read yet may turn out to be as it was.
    this.#known = unsettled === undefined ? known : new Map([...this.#known, ...known])
    if (unsettled !== undefined) return { type: 'unsettled', ...unsettled }
    if (known.size === 0 && problems.length === 0) {
      const message = `${printable(this.#options.path)}: no manifests in this directory or below it (*.yaml, *.yml, *.json)`
      return { type: 'failed', reason: 'NoManifests', message }
    }
    const { notes } = walk
    const files = [...known.values()].map(({ file }) => file)
    const prev = this.#snapshot
    const isAsBefore = prev !== undefined && isSame(prev.files, files) && jsonEqual([prev.problems, prev.notes], [problems, notes])
    const snapshot = isAsBefore ? prev : { revision: revisionOf(known, problems), files, problems, notes }
    this.#snapshot = snapshot
    const isBuiltAlone = walk.kustomizations.every((found) => known.get(kustomizationPath(found))?.fingerprint !== '')
    const tree = problems.length === 0 && isBuiltAlone ? RestingTree.of(this.#options.path, walk, begin) : undefined
    this.#resting = tree && { tree, snapshot }
    return { type: 'snapshot', snapshot }
  }

  /**
   * Editors and git put a file aside, or delete it, before they write it anew; objects must not be removed in between. So what
   * isn't there any more counts when its directory has been left alone, too. What was there before the first look isn't known.
   */
  #goneJustNow(
    { directories, kustomizations }: Walk,
    read: Look['read'],
  ): { readonly path: string; readonly retryAfter: Millis } | undefined {
    const now = this.#options.clock.monotonic()
    this.#firstLook ??= now
    const built = new Set(kustomizations.map(kustomizationPath))
    const gone = [...this.#known.keys()].filter((path) => !read.has(path) && !built.has(path))
    const isFirst = this.#snapshot === undefined && now - this.#firstLook < EMPTY_FOR
    for (const directory of isFirst ? directories.keys() : gone.map((path) => nearest(path, directories))) {
      const stats = directories.get(directory)
      const age = stats === undefined ? SETTLED : this.#ageOf(`${directory}/`, stats)
      if (age < SETTLED) return { path: printable(join(this.#options.path, directory)), retryAfter: SETTLED - age }
    }
    return undefined
  }

  #unchanged({ path, stats }: FoundFile): Known | undefined {
    const before = this.#known.get(path)
    return before?.fingerprint === fingerprintOf(stats) ? before : undefined
  }

  async #file({ path, stats }: FoundFile): Promise<Known | Unread> {
    const before = this.#known.get(path)
    const fingerprint = fingerprintOf(stats)
    const age = this.#ageOf(path, stats)
    if (age < SETTLED) return { type: 'unsettled', retryAfter: SETTLED - age }
    if (stats.size === 0n) {
      if (age < EMPTY_FOR) return { type: 'unsettled', retryAfter: EMPTY_FOR - age }
      return { type: 'problem', message: 'is empty; give it its manifests, or a comment, or delete it' }
    }
    if (stats.size > LARGEST_FILE)
      return { type: 'problem', message: `has ${formatBytes(Number(stats.size))}, more than ${formatBytes(LARGEST_FILE)}` }
    return await readWhole(join(this.#options.path, path), path, fingerprint, before)
  }

  async #kustomization(found: FoundKustomization, signal: AbortSignal): Promise<Known | Unread> {
    const path = kustomizationPath(found)
    const before = this.#known.get(path)
    const fingerprint = digestOf(found.files.map(({ path: name, stats }) => `${name}\0${fingerprintOf(stats)}\0`).join(''))
    if (before?.fingerprint === fingerprint) return before
    const ages = found.files.map(({ path: name, stats }) => this.#ageOf(name, stats))
    const youngest = Math.min(...ages)
    if (youngest < SETTLED) return { type: 'unsettled', retryAfter: SETTLED - youngest }
    const built = await this.#options.kustomize(join(this.#options.path, found.path), { signal })
    if ('problem' in built) return { type: 'problem', message: built.problem }
    // What it refers to elsewhere isn't looked at here: then it is built each time.
    return knownAs(path, built.isAlone ? fingerprint : '', built.text, before)
  }

  /** Since it was last changed or moved here. Of one whose time is still to come: since it was first seen as it is. */
  #ageOf(path: string, stats: BigIntStats): Millis {
    const { clock } = this.#options
    const { mtimeMs, ctimeMs } = stats
    const age = epochOf(clock.now()) - Number(mtimeMs > ctimeMs ? mtimeMs : ctimeMs)
    if (age >= 0) return age
    const fingerprint = fingerprintOf(stats)
    const now = clock.monotonic()
    const before = this.#aheadBefore.get(path)
    const since = before?.fingerprint === fingerprint ? before.since : now
    this.#ahead.set(path, { fingerprint, since })
    return now - since
  }
}

function isSame(before: readonly SourceFile[], after: readonly SourceFile[]): boolean {
  return before.length === after.length && before.every((file, at) => file === after[at])
}

/** The directory that a path was in, or what is still there of the way to it. */
function nearest(path: string, directories: ReadonlyMap<string, unknown>): string {
  let directory = dirname(path)
  while (directory !== '.' && !directories.has(directory)) directory = dirname(directory)
  return directory === '.' ? '' : directory
}

function kustomizationPath({ path }: FoundKustomization): string {
  return path === '' ? 'kustomization.yaml' : `${path}/kustomization.yaml`
}

function revisionOf(known: ReadonlyMap<string, Known>, problems: readonly Problem[]): string {
  const hash = createHash('sha256')
  for (const [path, { digest }] of known) hash.update(`${path}\0${digest}\0`)
  for (const { file, message } of problems) hash.update(`${file}\0${message}\0`)
  return `sha256:${hash.digest('hex')}`
}
