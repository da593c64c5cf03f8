import { posix } from 'node:path'
import { printable } from '../base/printable.ts'
import { KUSTOMIZATIONS, MANIFEST_EXTENSIONS } from './directory-walk.ts'
import { GitError } from './git-command.ts'
import type { TreeEntry } from './git-repository.ts'

const LINK = '120000'
const SUBMODULE = '160000'
const DIRECTORY = '040000'

/** Links that a path may lead through. */
const MOST_LINKS = 40
/** Links that lead from directory to directory can make a few files into any number, and any depth. */
const MOST_VISITS = 200_000
const DEEPEST = 100

export interface GitFile {
  /** Relative to the path of the source. */
  readonly path: string
  readonly object: string
  readonly size: number
}

export interface GitKustomization {
  /** Relative to the path of the source; empty for the source itself. */
  readonly path: string
  /** Where it lies in the repository, without links. */
  readonly real: string
}

export interface GitFiles {
  readonly files: readonly GitFile[]
  /** Directories that are built as a whole. */
  readonly kustomizations: readonly GitKustomization[]
  readonly notes: readonly string[]
  /** False: there is no such directory in the commit. */
  readonly exists: boolean
}

/**
 * The manifests of a commit below a path. Links are followed as far as they stay in the repository; names that begin with a dot are
 * passed over, which leaves nothing of a hostile name either: no `..` and no `.git`. `linkTargets`: the texts of the links, by object.
 * Throws GitError when there is more than anybody means.
 */
export function filesOf(entries: readonly TreeEntry[], path: string, linkTargets: ReadonlyMap<string, string>): GitFiles {
  return new Tree(entries, linkTargets).walk(path.replace(/\/+$/, '').replace(/^\.\/?/, ''))
}

class Tree {
  readonly #entries = new Map<string, TreeEntry>()
  readonly #children = new Map<string, string[]>()
  readonly #targets: ReadonlyMap<string, string>
  readonly #files: GitFile[] = []
  readonly #kustomizations: GitKustomization[] = []
  readonly #notes: string[] = []
  #visits = 0

  constructor(entries: readonly TreeEntry[], targets: ReadonlyMap<string, string>) {
    this.#targets = targets
    for (const entry of entries) {
      this.#entries.set(entry.path, entry)
      const parent = posix.dirname(entry.path) === '.' ? '' : posix.dirname(entry.path)
      const siblings = this.#children.get(parent)
      if (siblings === undefined) this.#children.set(parent, [posix.basename(entry.path)])
      else siblings.push(posix.basename(entry.path))
    }
  }

  walk(path: string): GitFiles {
    const root = this.#resolve(path)
    const exists = root !== undefined && (root === '' || this.#entries.get(root)?.mode === DIRECTORY)
    if (exists) this.#walk(root, '', [root])
    return { files: this.#files, kustomizations: this.#kustomizations, notes: this.#notes, exists }
  }

  /** `real`: where it lies in the repository; `path`: how it was reached. */
  #walk(real: string, path: string, above: readonly string[]): void {
    const names = [...(this.#children.get(real) ?? [])].sort()
    if (KUSTOMIZATIONS.some((name) => names.includes(name))) {
      this.#kustomizations.push({ path, real })
      return
    }
    for (const name of names) {
      if (name.startsWith('.') || name.includes('/') || name.includes('\\')) continue
      this.#visit(real === '' ? name : `${real}/${name}`, path === '' ? name : `${path}/${name}`, above)
    }
  }

  #visit(real: string, path: string, above: readonly string[]): void {
    this.#visits += 1
    if (this.#visits > MOST_VISITS || above.length > DEEPEST)
      throw new GitError('TooLarge', `more than ${MOST_VISITS} files, or ${DEEPEST} directories in one another, are no manifests`)
    const entry = this.#entries.get(real)
    if (entry?.mode === SUBMODULE) {
      this.#notes.push(`${printable(path)}: a submodule; passed over`)
      return
    }
    const end = entry?.mode === LINK ? this.#resolve(real) : real
    const found = end === undefined ? undefined : end === '' ? 'root' : this.#entries.get(end)
    if (found === 'root' || found?.mode === DIRECTORY) {
      if (end === undefined || above.includes(end))
        this.#notes.push(`${printable(path)}: a link to a directory that it is in itself; passed over`)
      else this.#walk(end, path, [...above, end])
      return
    }
    if (found === undefined) this.#notes.push(`${printable(path)}: a link that leads nowhere in the repository; passed over`)
    else if (found.type === 'blob' && MANIFEST_EXTENSIONS.includes(posix.extname(path)))
      this.#files.push({ path, object: found.object, size: found.size })
  }

  /** Where a path ends after all links; undefined when nothing is there, or outside. */
  #resolve(path: string): string | undefined {
    const rest = path.split('/').filter((part) => part !== '' && part !== '.')
    let at: string[] = []
    for (let links = 0; rest.length > 0; ) {
      const part = rest.shift() ?? ''
      if (part === '..') {
        if (at.length === 0) return undefined
        at = at.slice(0, -1)
        continue
      }
      const next = [...at, part].join('/')
      const entry = this.#entries.get(next)
      if (entry === undefined) return undefined
      if (entry.mode !== LINK) {
        at.push(part)
        continue
      }
      const target = this.#targets.get(entry.object)
      links += 1
      if (target === undefined || target.startsWith('/') || links > MOST_LINKS) return undefined
      rest.unshift(...target.split('/').filter((each) => each !== '' && each !== '.'))
    }
    return at.join('/')
  }
}
