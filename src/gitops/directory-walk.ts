import type { BigIntStats } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { printable } from '../base/printable.ts'
import type { Problem } from '../manifest/manifest.ts'
import { identityAt, identityOf, type Places, stepsTo } from './directory-places.ts'
import type { QuickStat } from './quick-stat.ts'

export const MANIFEST_EXTENSIONS: readonly string[] = ['.json', '.yaml', '.yml']

export const KUSTOMIZATIONS: readonly string[] = ['kustomization.yaml', 'kustomization.yml', 'Kustomization']

/** A directory with more in it was named by mistake, or a link leads out of it to everything there is. */
const MOST_ENTRIES = 200_000
const DEEPEST = 100

export interface FoundFile {
  /** Relative to the root, with `/`. */
  readonly path: string
  readonly stats: BigIntStats
}

/** A directory that is built as a whole, see kustomize(1). */
export interface FoundKustomization {
  /** Relative to the root; empty for the root itself. */
  readonly path: string
  /** Everything in it. */
  readonly files: readonly FoundFile[]
}

export interface Walk {
  /** Manifests, by path. */
  readonly files: readonly FoundFile[]
  readonly kustomizations: readonly FoundKustomization[]
  /** By path, empty for the root, as each was after its names were read: what has gone from it before shows in its times. */
  readonly directories: ReadonlyMap<string, BigIntStats>
  readonly problems: readonly Problem[]
  readonly notes: readonly string[]
  readonly places: Places
}

export interface WalkOptions {
  readonly signal: AbortSignal
  /** Called after each call to the file system. */
  readonly tick: () => void
  readonly quickStat: QuickStat
  /** Whether the file at this path, relative to the root, was looked at before. */
  readonly isKnown: (path: string) => boolean
}

/** Thrown when there is more than a directory of manifests has. */
export class TooLargeError extends Error {
  override readonly name = 'TooLargeError'
}

/**
 * Looks at a directory and what is in it, following symbolic links to files and directories. Names that begin with a dot are
 * passed over, as Kubernetes' own `..data` is: what it holds is reached by the links beside it. Rejects with what the file
 * system says about the root, and with TooLargeError.
 */
export async function walkDirectory(root: string, options: WalkOptions): Promise<Walk> {
  const walker = new Walker(root, options)
  await walker.walk()
  return walker
}

class Walker implements Walk {
  readonly files: FoundFile[] = []
  readonly kustomizations: { path: string; files: FoundFile[] }[] = []
  readonly directories = new Map<string, BigIntStats>()
  readonly problems: Problem[] = []
  readonly notes: string[] = []
  readonly places = new Map<string, { readonly identity: string; readonly names: Set<string> | 'all' }>()
  readonly #root: string
  readonly #options: WalkOptions
  #entries = 0

  constructor(root: string, options: WalkOptions) {
    this.#root = root
    this.#options = options
  }

  async walk(): Promise<void> {
    await this.#addSteps(this.#root)
    const stats = await stat(this.#root, { bigint: true })
    await this.#walk({ absolute: this.#root, path: '', above: [identityOf(stats)], kustomization: undefined }, stats.dev)
    // Directories before files of the same beginning and the like are no order that people know.
    this.files.sort((a, b) => (a.path < b.path ? -1 : 1))
  }

  /** `above`: the directories that this one is in, itself included. */
  async #walk({ absolute, path, above, kustomization }: Entry, dev: bigint): Promise<void> {
    const { signal, tick, quickStat, isKnown } = this.#options
    signal.throwIfAborted()
    // Rejects for the root; what is below it is looked at by #enter.
    const entries = await readdir(absolute, { withFileTypes: true })
    tick()
    const isLocal = await quickStat.isLocal(absolute, dev)
    this.directories.set(path, await quickStat.of(absolute, isLocal))
    this.places.set(absolute, { identity: above.at(-1) ?? '', names: 'all' })
    this.#entries += entries.length
    if (this.#entries > MOST_ENTRIES || above.length > DEEPEST)
      throw new TooLargeError(
        `${printable(absolute)}: more than ${MOST_ENTRIES} files, or ${DEEPEST} directories in one another, are no directory of manifests`,
      )
    const built =
      kustomization ??
      this.#kustomizationIn(
        entries.map(({ name }) => name),
        path,
      )
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.name.startsWith('.')) continue
      const inner = {
        absolute: join(absolute, entry.name),
        path: path === '' ? entry.name : `${path}/${entry.name}`,
        above,
        kustomization: built,
      }
      if (entry.isDirectory()) await this.#enter(inner)
      else if (entry.isFile()) await this.#addFile(inner, isLocal && isKnown(inner.path))
      else if (entry.isSymbolicLink()) await this.#follow(inner)
    }
  }

  #kustomizationIn(names: readonly string[], path: string): { path: string; files: FoundFile[] } | undefined {
    if (!KUSTOMIZATIONS.some((name) => names.includes(name))) return undefined
    const kustomization = { path, files: [] }
    this.kustomizations.push(kustomization)
    return kustomization
  }

  async #enter(place: Entry): Promise<void> {
    try {
      const stats = await stat(place.absolute, { bigint: true })
      this.#options.tick()
      const identity = identityOf(stats)
      if (place.above.includes(identity)) {
        this.notes.push(`${printable(place.path)}: a link to a directory that it is in itself; passed over`)
        return
      }
      await this.#walk({ ...place, above: [...place.above, identity] }, stats.dev)
    } catch (err) {
      this.#fail(place.path, err)
    }
  }

  async #follow(place: Entry): Promise<void> {
    await this.#addSteps(place.absolute)
    try {
      const stats = await stat(place.absolute)
      if (stats.isDirectory()) await this.#enter(place)
      else if (stats.isFile()) await this.#addFile(place, false)
    } catch (err) {
      // A link of another sort that leads nowhere is nobody's manifest.
      if (isManifest(place.path) || place.kustomization !== undefined) this.#fail(place.path, err)
    }
  }

  async #addFile({ absolute, path, kustomization }: Entry, isWarm: boolean): Promise<void> {
    if (kustomization === undefined && !isManifest(path)) return
    try {
      this.#options.signal.throwIfAborted()
      const file = { path, stats: await this.#options.quickStat.of(absolute, isWarm) }
      this.#options.tick()
      if (file.stats.isFile()) (kustomization ?? this).files.push(file)
    } catch (err) {
      this.#fail(path, err)
    }
  }

  async #addSteps(path: string): Promise<void> {
    for (const { directory, name } of await stepsTo(path)) {
      const names = this.places.get(directory)?.names
      if (names === undefined) this.places.set(directory, { identity: await identityAt(directory), names: new Set([name]) })
      else if (names !== 'all') names.add(name)
    }
  }

  #fail(path: string, err: unknown): void {
    if (this.#options.signal.aborted || err instanceof TooLargeError) throw err
    const { code } = err as NodeJS.ErrnoException
    if (code === undefined) throw err
    this.problems.push({ file: printable(path), message: wordsFor(err as NodeJS.ErrnoException) })
  }
}

interface Entry {
  readonly absolute: string
  readonly path: string
  readonly above: readonly string[]
  readonly kustomization: { readonly path: string; readonly files: FoundFile[] } | undefined
}

function isManifest(path: string): boolean {
  return MANIFEST_EXTENSIONS.includes(extname(path))
}

const WORDS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory, or a link that leads nowhere',
  EACCES: 'permission denied',
  ENOTDIR: 'not a directory',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'the name is too long',
}

/** What the file system says, in words. */
export function wordsFor({ code, message }: NodeJS.ErrnoException): string {
  return WORDS[code ?? ''] ?? message
}
