import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { printable } from '../base/printable.ts'
import { formatBytes } from '../base/quantity.ts'
import type { GitReference } from '../generated/types.ts'
import type { Problem } from '../manifest/manifest.ts'
import type { Kustomize } from './directory-origin.ts'
import { GitError } from './git-command.ts'
import { GitRepository, type GitSecrets, type TreeEntry } from './git-repository.ts'
import { filesOf, type GitFiles } from './git-tree.ts'
import type { Fetched, ManifestOrigin, Snapshot, SourceFile } from './snapshot.ts'

/** In bytes: of one file, and of all that is read of a commit. */
const LARGEST_FILE = 4 * 1024 * 1024
const LARGEST_SUM = 48 * 1024 * 1024

/** What stands in place of a file that Git LFS keeps elsewhere. */
const LFS_POINTER = 'version https://git-lfs.github.com/spec/'

export interface GitOriginOptions {
  /** Of its own, for what it keeps of the repository. */
  readonly directory: string
  readonly reference: GitReference
  /** The Secrets that the reference names. */
  readonly secrets: () => GitSecrets | { readonly missing: string }
  readonly kustomize: Kustomize
  /** What it may keep on disk, in bytes. */
  readonly largestRepository?: number
}

/** A Git repository, read with the system's git. */
export class GitOrigin implements ManifestOrigin {
  readonly #options: GitOriginOptions
  readonly #repository: GitRepository
  #known: Snapshot | undefined
  /** The commit whose signature was good, and the keys that said so. */
  #verified = ''

  constructor(options: GitOriginOptions) {
    const { directory, reference, largestRepository } = options
    this.#options = options
    this.#repository = new GitRepository({
      directory,
      reference,
      ...(largestRepository === undefined ? {} : { largest: largestRepository }),
    })
  }

  async fetch(signal: AbortSignal): Promise<Fetched> {
    const secrets = this.#options.secrets()
    if ('missing' in secrets) return { type: 'failed', reason: 'SecretNotFound', message: secrets.missing }
    try {
      return { type: 'snapshot', snapshot: await this.#fetch(secrets, signal) }
    } catch (err) {
      if (signal.aborted) throw signal.reason
      if (err instanceof GitError) return { type: 'failed', reason: err.reason, message: err.message }
      const { code, message } = err as NodeJS.ErrnoException
      if (code === undefined) throw err
      // A full disk, above all.
      return { type: 'failed', reason: 'GitFailed', message: `what is kept of the repository can not be written: ${message}` }
    }
  }

  /** What is kept may be broken, by a disk or by a server that was killed: then it is thrown away, once, and fetched anew. */
  async #fetch(secrets: GitSecrets, signal: AbortSignal): Promise<Snapshot> {
    try {
      return await this.#take(secrets, signal)
    } catch (err) {
      if (!(err instanceof GitError) || err.reason !== 'GitFailed' || signal.aborted) throw err
      await this.discard()
      return await this.#take(secrets, signal)
    }
  }

  async #take({ login, trusted }: GitSecrets, signal: AbortSignal): Promise<Snapshot> {
    const commit = await this.#repository.fetch(login, signal)
    // Keys that are trusted may change without a new commit.
    const wanted = trusted === undefined ? '' : JSON.stringify([commit, [...trusted].sort()])
    if (trusted !== undefined && this.#verified !== wanted) await this.#repository.verify(commit, trusted, signal)
    this.#verified = wanted
    if (this.#known?.revision !== commit) this.#known = await this.#read(commit, signal)
    return this.#known
  }

  /** A remote tells nothing by itself: it is asked every interval, and when somebody says so. */
  watch(): { readonly degraded: () => string | undefined } {
    return { degraded: () => undefined }
  }

  async discard(): Promise<void> {
    this.#known = undefined
    this.#verified = ''
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
        const text = new TextDecoder('utf-8', { fatal: true }).decode(contents.get(object))
        if (text.startsWith(LFS_POINTER)) problems.push({ file: printable(path), message: 'is kept in Git LFS, which is not read' })
        else files.push({ path: printable(path), text })
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
    const { directory, kustomize } = this.#options
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
      for (const { path, object } of plain) await putBelow(tree, path, contents.get(object))
      const files: SourceFile[] = []
      for (const { path, real } of kustomizations) {
        const built = await kustomize(join(tree, real), { signal, within: tree })
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

/** Throws GitError for a name that no file system has; a repository can hold them. */
async function putBelow(root: string, path: string, content: Buffer | undefined): Promise<void> {
  try {
    await mkdir(join(root, dirname(path)), { recursive: true, mode: 0o700 })
    await writeFile(join(root, path), content ?? '', { mode: 0o600, flag: 'wx' })
  } catch (err) {
    const { code, message } = err as NodeJS.ErrnoException
    if (code === undefined) throw err
    const what = ['ENAMETOOLONG', 'EEXIST', 'ENOTDIR', 'EISDIR'].includes(code) ? 'is no name for a file' : message
    throw new GitError('PathUnreadable', `a kustomization needs the whole repository, and ${printable(path).slice(0, 200)} ${what}`)
  }
}

function isPlainName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && name.toLowerCase() !== '.git' && !/[\\\0]/.test(name)
}
