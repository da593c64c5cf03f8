import { createHash } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, epochOf, type Millis } from '../base/clock.ts'
import { printable } from '../base/printable.ts'
import { formatBytes } from '../base/quantity.ts'
import type { Problem } from '../manifest/manifest.ts'
import { placesOf } from './directory-places.ts'
import { type FoundFile, type FoundKustomization, TooLargeError, walkDirectory, wordsFor } from './directory-walk.ts'
import { DirectoryWatch } from './directory-watch.ts'
import type { Fetched, ManifestOrigin, SourceFile } from './snapshot.ts'

/** A file that changed so recently may be changing still. */
const SETTLED: Millis = 500
/** An empty file is about to be filled; one that stays empty is a mistake. */
const EMPTY_FOR: Millis = 10_000
/** A file that changed while it was read is read again after this. */
const AGAIN: Millis = 50
/** In bytes; no file of manifests is so large. */
const LARGEST_FILE = 64 * 1024 * 1024

/** Builds the manifests of a directory with a kustomization. */
export type Kustomize = (directory: string, signal: AbortSignal) => Promise<{ readonly text: string } | { readonly problem: string }>

export interface DirectoryOriginOptions {
  /** Absolute. */
  readonly path: string
  readonly clock: Clock
  readonly kustomize: Kustomize
  /** False: changes are found by looking only. */
  readonly fileEvents?: boolean
}

interface Known {
  readonly fingerprint: string
  readonly digest: string
  readonly text: string
}

/** What of a file could not be had. */
type Unread = { readonly type: 'unsettled'; readonly retryAfter: Millis } | { readonly type: 'problem'; readonly message: string }

/** A directory on this host. Files that are as they were are not read again. */
export class DirectoryOrigin implements ManifestOrigin {
  readonly #options: DirectoryOriginOptions
  readonly #watch = new DirectoryWatch()
  #known: ReadonlyMap<string, Known> = new Map()

  constructor(options: DirectoryOriginOptions) {
    this.#options = options
  }

  async fetch(signal: AbortSignal): Promise<Fetched> {
    const { path } = this.#options
    try {
      const walk = await walkDirectory(path, signal)
      this.#watch.follow(walk.places)
      return await this.#read(walk, signal)
    } catch (err) {
      if (signal.aborted) throw signal.reason
      if (err instanceof TooLargeError) return { type: 'failed', reason: 'TooLarge', message: err.message }
      const { code } = err as NodeJS.ErrnoException
      if (code === undefined) throw err
      // Its parent tells when it is there again.
      this.#watch.follow(await placesOf(path))
      const message = `${printable(path)}: ${wordsFor(err as NodeJS.ErrnoException)}`
      return { type: 'failed', reason: code === 'ENOENT' ? 'PathNotFound' : 'PathUnreadable', message }
    }
  }

  watch(onChange: () => void, signal: AbortSignal): { readonly degraded: () => string | undefined } {
    if (this.#options.fileEvents === false) return { degraded: () => 'file events are switched off' }
    this.#watch.start(onChange, signal)
    return { degraded: () => this.#watch.degraded }
  }

  async discard(): Promise<void> {
    this.#known = new Map()
  }

  async #read(walk: Awaited<ReturnType<typeof walkDirectory>>, signal: AbortSignal): Promise<Fetched> {
    const known = new Map<string, Known>()
    const problems: Problem[] = [...walk.problems]
    let unsettled: { readonly path: string; readonly retryAfter: Millis } | undefined
    const take = (path: string, result: Known | Unread): void => {
      if ('digest' in result) known.set(path, result)
      else if (result.type === 'problem') problems.push({ file: printable(path), message: result.message })
      else if (result.retryAfter > (unsettled?.retryAfter ?? 0)) unsettled = { path: printable(path), retryAfter: result.retryAfter }
    }
    for (const file of walk.files) {
      signal.throwIfAborted()
      take(file.path, await this.#file(file))
    }
    for (const found of walk.kustomizations) take(kustomizationPath(found), await this.#kustomization(found, signal))
    this.#known = known
    if (unsettled !== undefined) return { type: 'unsettled', ...unsettled }
    if (known.size === 0 && problems.length === 0) {
      const message = `${printable(this.#options.path)}: no manifests in this directory or below it (*.yaml, *.yml, *.json)`
      return { type: 'failed', reason: 'NoManifests', message }
    }
    const files: readonly SourceFile[] = [...known].map(([path, { text }]) => ({ path: printable(path), text }))
    return { type: 'snapshot', snapshot: { revision: revisionOf(known, problems), files, problems, notes: walk.notes } }
  }

  async #file({ path, stats }: FoundFile): Promise<Known | Unread> {
    const before = this.#known.get(path)
    const fingerprint = fingerprintOf(stats)
    if (before?.fingerprint === fingerprint) return before
    const age = this.#ageOf(stats)
    if (age < SETTLED) return { type: 'unsettled', retryAfter: SETTLED - age }
    if (stats.size === 0n) {
      if (age < EMPTY_FOR) return { type: 'unsettled', retryAfter: EMPTY_FOR - age }
      return { type: 'problem', message: 'is empty; give it its manifests, or a comment, or delete it' }
    }
    if (stats.size > LARGEST_FILE)
      return { type: 'problem', message: `has ${formatBytes(Number(stats.size))}, more than ${formatBytes(LARGEST_FILE)}` }
    return await readWhole(join(this.#options.path, path), fingerprint)
  }

  async #kustomization(found: FoundKustomization, signal: AbortSignal): Promise<Known | Unread> {
    const ages = found.files.map(({ stats }) => this.#ageOf(stats))
    const youngest = Math.min(...ages)
    if (youngest < SETTLED) return { type: 'unsettled', retryAfter: SETTLED - youngest }
    // What it refers to elsewhere isn't looked at here: it is built each time.
    const built = await this.#options.kustomize(join(this.#options.path, found.path), signal)
    if ('problem' in built) return { type: 'problem', message: built.problem }
    return { fingerprint: '', digest: digestOf(built.text), text: built.text }
  }

  /** Since it was last changed or moved here. What is said to be of a time to come has been as it is for a while. */
  #ageOf({ mtimeMs, ctimeMs }: BigIntStats): Millis {
    const age = epochOf(this.#options.clock.now()) - Number(mtimeMs > ctimeMs ? mtimeMs : ctimeMs)
    return age < 0 ? Number.POSITIVE_INFINITY : age
  }
}

/** Its text, if it was the same file, unchanged, before and after. */
async function readWhole(path: string, fingerprint: string): Promise<Known | Unread> {
  try {
    const handle = await open(path, 'r')
    try {
      const bytes = await handle.readFile()
      if (fingerprintOf(await handle.stat({ bigint: true })) !== fingerprint) return { type: 'unsettled', retryAfter: AGAIN }
      const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
      return { fingerprint, digest: digestOf(text), text }
    } finally {
      await handle.close()
    }
  } catch (err) {
    if (err instanceof TypeError) return { type: 'problem', message: 'is not UTF-8 text' }
    const { code } = err as NodeJS.ErrnoException
    if (code === undefined) throw err
    // It has gone since the directory was looked at: look again.
    if (code === 'ENOENT') return { type: 'unsettled', retryAfter: AGAIN }
    return { type: 'problem', message: wordsFor(err as NodeJS.ErrnoException) }
  }
}

function kustomizationPath({ path }: FoundKustomization): string {
  return path === '' ? 'kustomization.yaml' : `${path}/kustomization.yaml`
}

/** Changes with each write, rename over and move. */
function fingerprintOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function revisionOf(known: ReadonlyMap<string, Known>, problems: readonly Problem[]): string {
  const hash = createHash('sha256')
  for (const [path, { digest }] of known) hash.update(`${path}\0${digest}\0`)
  for (const { file, message } of problems) hash.update(`${file}\0${message}\0`)
  return `sha256:${hash.digest('hex')}`
}
