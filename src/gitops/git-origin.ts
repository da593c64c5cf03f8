import { createHash } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { printable } from '../base/printable.ts'
import { formatBytes } from '../base/quantity.ts'
import type { GitReference } from '../generated/types.ts'
import type { Problem } from '../manifest/manifest.ts'
import type { Kustomize } from './directory-origin.ts'
import { GitError, GitRepository, type GitSecrets, type TreeEntry } from './git-repository.ts'
import { filesOf, type GitFiles } from './git-tree.ts'
import type { Fetched, ManifestOrigin, Snapshot, SourceFile } from './snapshot.ts'

/** In bytes: of one file, and of all that is read of a commit. */
const LARGEST_FILE = 4 * 1024 * 1024
const LARGEST_SUM = 48 * 1024 * 1024

export interface GitOriginOptions {
  /** Of its own, for what it keeps of the repository. */
  readonly directory: string
  readonly reference: GitReference
  /** The Secrets that the reference names. */
  readonly secrets: () => GitSecrets | { readonly missing: string }
  readonly kustomize: Kustomize
  /** What a fetch may write, in bytes. */
  readonly largestPack?: number
}

/** A Git repository, read with the system's git. */
export class GitOrigin implements ManifestOrigin {
  readonly #options: GitOriginOptions
  readonly #repository: GitRepository
  #known: Snapshot | undefined

  constructor(options: GitOriginOptions) {
    const { directory, reference, largestPack } = options
    this.#options = options
    this.#repository = new GitRepository({ directory, reference, ...(largestPack === undefined ? {} : { largestPack }) })
  }

  async fetch(signal: AbortSignal): Promise<Fetched> {
    const secrets = this.#options.secrets()
    if ('missing' in secrets) return { type: 'failed', reason: 'SecretNotFound', message: secrets.missing }
    try {
      const commit = await this.#repository.fetch(secrets, signal)
      // Keys that are trusted may change without a new commit.
      if (secrets.trusted !== undefined) await this.#repository.verify(commit, secrets.trusted, signal)
      if (this.#known?.revision !== commit) this.#known = await this.#read(commit, signal)
      return { type: 'snapshot', snapshot: this.#known }
    } catch (err) {
      if (signal.aborted) throw signal.reason
      if (!(err instanceof GitError)) throw err
      return { type: 'failed', reason: err.reason, message: err.message }
    }
  }

  /** A remote tells nothing by itself: it is asked every interval, and when somebody says so. */
  watch(): { readonly degraded: () => string | undefined } {
    return { degraded: () => undefined }
  }

  async discard(): Promise<void> {
    this.#known = undefined
    await this.#repository.discard()
  }

  async #read(commit: string, signal: AbortSignal): Promise<Snapshot> {
    const { reference } = this.#options
    const entries = await this.#repository.list(commit, signal)
    const links = entries.filter(({ mode }) => mode === '120000').map(({ object }) => object)
    const targets = new Map(
      [...(await this.#repository.read([...new Set(links)], signal))].map(([object, bytes]) => [object, bytes.toString()]),
    )
    const found = filesOf(entries, reference.path, targets)
    if (!found.exists) throw new GitError('PathNotFound', `${printable(reference.path)} is no directory in commit ${commit.slice(0, 12)}`)
    const problems: Problem[] = []
    const wanted = found.files.filter(({ path, size }) => {
      if (size <= LARGEST_FILE) return true
      problems.push({ file: printable(path), message: `has ${formatBytes(size)}, more than ${formatBytes(LARGEST_FILE)}` })
      return false
    })
    const sum = wanted.reduce((total, { size }) => total + size, 0)
    if (sum > LARGEST_SUM) throw new GitError('TooLarge', `its manifests have ${formatBytes(sum)}, more than ${formatBytes(LARGEST_SUM)}`)
    const contents = await this.#repository.read([...new Set(wanted.map(({ object }) => object))], signal)
    const files: SourceFile[] = []
    for (const { path, object } of wanted) {
      try {
        files.push({ path: printable(path), text: new TextDecoder('utf-8', { fatal: true }).decode(contents.get(object)) })
      } catch (err) {
        if (!(err instanceof TypeError)) throw err
        problems.push({ file: printable(path), message: 'is not UTF-8 text' })
      }
    }
    files.push(...(await this.#build(entries, found, problems, signal)))
    if (files.length === 0 && problems.length === 0)
      throw new GitError(
        'NoManifests',
        `no manifests in ${reference.path === '' ? 'the repository' : printable(reference.path)} at ${commit.slice(0, 12)} (*.yaml, *.yml, *.json)`,
      )
    return { revision: commit, files: files.sort((a, b) => (a.path < b.path ? -1 : 1)), problems, notes: found.notes }
  }

  /** kustomize reads files, so for it the commit is written out: plain files only, under names that stay below a directory of our own. */
  async #build(
    entries: readonly TreeEntry[],
    { kustomizations }: GitFiles,
    problems: Problem[],
    signal: AbortSignal,
  ): Promise<readonly SourceFile[]> {
    if (kustomizations.length === 0) return []
    const { directory, reference, kustomize } = this.#options
    const tree = join(directory, 'tree')
    await rm(tree, { recursive: true, force: true })
    try {
      const plain = entries.filter(({ mode, path }) => mode.startsWith('100') && path.split('/').every(isPlainName))
      const sum = plain.reduce((total, { size }) => total + size, 0)
      if (sum > LARGEST_SUM)
        throw new GitError(
          'TooLarge',
          `a kustomization needs the whole repository, which has ${formatBytes(sum)}, more than ${formatBytes(LARGEST_SUM)}`,
        )
      const contents = await this.#repository.read([...new Set(plain.map(({ object }) => object))], signal)
      for (const { path, object } of plain) {
        await mkdir(join(tree, dirname(path)), { recursive: true, mode: 0o700 })
        await writeFile(join(tree, path), contents.get(object) ?? '', { mode: 0o600 })
      }
      const files: SourceFile[] = []
      for (const path of kustomizations) {
        const built = await kustomize(join(tree, reference.path, path), signal)
        const file = printable(path === '' ? 'kustomization.yaml' : `${path}/kustomization.yaml`)
        if ('problem' in built) problems.push({ file, message: built.problem.replaceAll(`${tree}/`, '') })
        else files.push({ path: file, text: built.text })
      }
      return files
    } finally {
      await rm(tree, { recursive: true, force: true })
    }
  }
}

function isPlainName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && name.toLowerCase() !== '.git' && !/[\\\0]/.test(name)
}

/** Where a source keeps its repository: one of its own for each that it is pointed at. */
export function repositoryDirectory(root: string, uid: string, { url }: GitReference): string {
  return join(root, `${uid}-${createHash('sha256').update(url).digest('hex').slice(0, 12)}`)
}
