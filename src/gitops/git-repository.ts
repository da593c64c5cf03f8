import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { GitReference } from '../generated/types.ts'
import { Git, GitError, refuse } from './git-command.ts'
import { type GitLogin, writeLogin } from './git-login.ts'
import { verifyCommit } from './git-signature.ts'

/** More packs than this are made one. */
const MOST_PACKS = 20
/** What git may say of the names in a commit, in bytes: some hundred thousand files. */
const LARGEST_LISTING = 16 * 1024 * 1024

const TOO_LARGE = 'the repository is larger than one of manifests may be, even without its history'

const TARGET = 'refs/pmk/target'

/** Keys of the Secrets that a source names, decoded. */
export interface GitSecrets {
  readonly login: ReadonlyMap<string, string>
  /** Undefined: nothing is to be verified. */
  readonly trusted: ReadonlyMap<string, string> | undefined
}

export interface GitRepositoryOptions {
  /** Of its own; made where it is missing. */
  readonly directory: string
  readonly reference: GitReference
  /** In bytes, on disk. */
  readonly largest?: number
}

export interface TreeEntry {
  /** 100644, 100755, 120000 (a link), 160000 (a submodule), 040000. */
  readonly mode: string
  readonly type: string
  readonly object: string
  readonly size: number
  readonly path: string
}

/**
 * A bare repository that holds one commit of a remote one. Neither hooks, filters nor configuration of the remote are ever run or
 * read, and nothing of it is checked out: files are read from its objects.
 */
export class GitRepository {
  readonly #git: Git
  readonly #reference: GitReference
  /** What the remote had, and the commit that it stands for; both are here. */
  #at: { readonly object: string; readonly commit: string } | undefined
  /** What the remote had and was too large: it is not fetched at each poll. */
  #tooLarge: string | undefined

  constructor({ directory, reference, largest }: GitRepositoryOptions) {
    this.#git = new Git(directory, largest)
    this.#reference = reference
  }

  /** Fetches what the reference names now and gives its commit. Throws GitError. */
  async fetch(keys: ReadonlyMap<string, string>, signal: AbortSignal): Promise<string> {
    const { url, ref } = this.#reference
    const login = await writeLogin(this.#git, url, keys)
    try {
      await this.#tidy()
      return ref.commit === undefined ? await this.#fetchRef(login, signal) : await this.#fetchCommit(ref.commit, login, signal)
    } catch (err) {
      await this.#tidy()
      throw err
    } finally {
      await rm(this.#git.login, { recursive: true, force: true })
    }
  }

  /** Throws GitError unless the commit bears a good signature of a trusted key. */
  async verify(commit: string, trusted: ReadonlyMap<string, string>, signal: AbortSignal): Promise<void> {
    await verifyCommit(this.#git, commit, trusted, signal)
  }

  /** All entries of the tree, as git-ls-tree tells them. */
  async list(commit: string, signal: AbortSignal): Promise<readonly TreeEntry[]> {
    const args = ['ls-tree', '-r', '-t', '-z', '-l', '--full-tree', commit]
    const result = await this.#git.run(args, { signal, maxOutput: LARGEST_LISTING })
    if (result.isTooLong)
      throw new GitError('TooLarge', `commit ${commit.slice(0, 12)} holds more files than a repository of manifests has`)
    refuse(result)
    return result.stdout
      .toString()
      .split('\0')
      .flatMap((line): readonly TreeEntry[] => {
        const match = /^(\d+) (\w+) ([0-9a-f]+) +(\d+|-)\t(.+)$/s.exec(line)
        if (match === null) return []
        const [, mode = '', type = '', object = '', size = '', path = ''] = match
        return [{ mode, type, object, size: size === '-' ? 0 : Number(size), path }]
      })
  }

  /** Contents by object. */
  async read(objects: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, Buffer>> {
    const contents = new Map<string, Buffer>()
    if (objects.length === 0) return contents
    const result = await this.#git.run(['cat-file', '--batch'], { signal, input: `${objects.join('\n')}\n` })
    refuse(result)
    let at = 0
    while (at < result.stdout.length) {
      const end = result.stdout.indexOf(0x0a, at)
      const match = /^([0-9a-f]+) blob (\d+)$/.exec(result.stdout.toString('latin1', at, end))
      if (match === null) throw new GitError('GitFailed', `git does not have ${result.stdout.toString('latin1', at, end)}`)
      const begin = end + 1
      const length = Number(match[2])
      contents.set(match[1] ?? '', result.stdout.subarray(begin, begin + length))
      at = begin + length + 1
    }
    return contents
  }

  /** Throws away all that is here; the next fetch begins anew. */
  async discard(): Promise<void> {
    this.#at = undefined
    await rm(this.#git.directory, { recursive: true, force: true })
  }

  async #fetchRef(login: GitLogin, signal: AbortSignal): Promise<string> {
    const { ref } = this.#reference
    const wanted = ref.branch !== undefined ? `refs/heads/${ref.branch}` : ref.tag !== undefined ? `refs/tags/${ref.tag}` : 'HEAD'
    const object = await this.#remoteObject(wanted, login, signal)
    if (this.#at?.object === object) return this.#at.commit
    await this.#init(object, signal)
    const known = await this.#target(signal)
    if (known?.object !== object) await this.#once(object, () => this.#take([`+${wanted}:${TARGET}`], ['--depth=1'], login, signal))
    this.#at = known?.object === object ? known : await this.#target(signal)
    if (this.#at === undefined) throw new GitError('RefNotFound', `${shortName(wanted)} of ${this.#reference.url} names no commit`)
    return this.#at.commit
  }

  async #fetchCommit(commit: string, login: GitLogin, signal: AbortSignal): Promise<string> {
    if (this.#at?.commit === commit) return commit
    await this.#init(commit, signal)
    if (!(await this.#has(commit, signal))) await this.#once(commit, () => this.#takeCommit(commit, login, signal))
    this.#at = { object: commit, commit }
    return commit
  }

  /** What turned out to be too large is not asked for again. */
  async #once(object: string, take: () => Promise<void>): Promise<void> {
    if (this.#tooLarge === object) throw new GitError('TooLarge', TOO_LARGE)
    try {
      await take()
    } catch (err) {
      if (err instanceof GitError && err.reason === 'TooLarge') this.#tooLarge = object
      throw err
    }
  }

  async #takeCommit(commit: string, login: GitLogin, signal: AbortSignal): Promise<void> {
    const one = await this.#fetch([`+${commit}:${TARGET}`], ['--depth=1'], signal)
    // Old servers give only what has a name: then all of these are fetched.
    if (one.code !== 0 && /unadvertised object/i.test(one.stderr)) {
      const unshallow = await stat(join(this.#git.repository, 'shallow')).then(
        () => ['--unshallow'],
        () => [],
      )
      await this.#take(['+refs/heads/*:refs/pmk/heads/*', '+refs/tags/*:refs/pmk/tags/*'], [...unshallow, '--prune'], login, signal)
    } else if (/not our ref/.test(one.stderr)) throw this.#noCommit(commit)
    else refuse(one, login.secrets)
    if (!(await this.#has(commit, signal))) throw this.#noCommit(commit)
    await this.#bound(signal)
  }

  #noCommit(commit: string): GitError {
    return new GitError('RefNotFound', `commit ${commit} is not in ${this.#reference.url}`)
  }

  /** The commit, or the tag's object, that the remote has under this name. */
  async #remoteObject(name: string, { secrets }: GitLogin, signal: AbortSignal): Promise<string> {
    const { url } = this.#reference
    const result = await this.#git.run(['ls-remote', '--quiet', '--', url, name], { signal, isOutside: true })
    refuse(result, secrets)
    const lines = result.stdout.toString().split('\n')
    const found = lines.map((line) => line.split('\t')).find(([, ref]) => ref === name)?.[0]
    if (found !== undefined) return found
    if (name === 'HEAD')
      throw new GitError('RefNotFound', `${url} has no branch that its HEAD names; say which one with spec.git.ref.branch`)
    throw new GitError('RefNotFound', `${shortName(name)} is not in ${url}`)
  }

  async #take(refspecs: readonly string[], options: readonly string[], login: GitLogin, signal: AbortSignal): Promise<void> {
    refuse(await this.#fetch(refspecs, options, signal), login.secrets)
    await this.#bound(signal)
  }

  async #fetch(refspecs: readonly string[], options: readonly string[], signal: AbortSignal): ReturnType<Git['run']> {
    const quietly = ['--quiet', '--no-recurse-submodules', '--no-write-fetch-head', '--no-auto-maintenance', '--force']
    const tags = options.includes('--prune') ? [] : ['--no-tags']
    const args = ['fetch', ...quietly, ...tags, ...options, '--', this.#reference.url, ...refspecs]
    const result = await this.#git.run(args, { signal })
    // What the kernel ended can't say so itself.
    if (result.code !== 0 && (await this.#packs()).largest >= this.#git.largestRepository) throw new GitError('TooLarge', TOO_LARGE)
    return result
  }

  /** Makes the repository, for the sort of objects that the remote has. */
  async #init(object: string, signal: AbortSignal): Promise<void> {
    const format = object.length === 64 ? 'sha256' : 'sha1'
    const { repository } = this.#git
    const config = await readFile(join(repository, 'config'), 'utf8').catch(() => undefined)
    const hasHead = await stat(join(repository, 'HEAD')).then(
      () => true,
      () => false,
    )
    if (config !== undefined && hasHead && /objectformat = sha256/i.test(config) === (format === 'sha256')) return
    await rm(repository, { recursive: true, force: true })
    const args = ['init', '--quiet', '--bare', '--template=', `--object-format=${format}`, repository]
    refuse(await this.#git.run(args, { signal, isOutside: true }))
  }

  async #target(signal: AbortSignal): Promise<{ readonly object: string; readonly commit: string } | undefined> {
    const { code, stdout } = await this.#git.run(['rev-parse', '--quiet', TARGET, `${TARGET}^{commit}`], { signal })
    const [object = '', commit = ''] = stdout.toString().split('\n')
    return code === 0 && commit !== '' ? { object, commit } : undefined
  }

  async #has(commit: string, signal: AbortSignal): Promise<boolean> {
    return (await this.#git.run(['cat-file', '-e', `${commit}^{commit}`], { signal })).code === 0
  }

  /** Removes what a git that was killed left: locks, which would stop the next one, and halves of packs. */
  async #tidy(): Promise<void> {
    const { repository } = this.#git
    for (const directory of ['', 'refs/pmk', 'objects/pack']) {
      const place = join(repository, directory)
      const names = await readdir(place).catch(() => [])
      for (const name of names)
        if (name.endsWith('.lock') || name.startsWith('tmp_') || name.startsWith('.tmp-') || name === 'gc.pid')
          await rm(join(place, name), { recursive: true, force: true })
    }
  }

  /** Each fetch adds a pack. When they are many, old commits are let go; when they are too large together, everything is. */
  async #bound(signal: AbortSignal): Promise<void> {
    const { repository, largestRepository } = this.#git
    const packs = await this.#packs()
    if (packs.count > MOST_PACKS) await this.#git.run(['gc', '--quiet', '--prune=now'], { signal })
    if (packs.size <= largestRepository || (await this.#packs()).size <= largestRepository) return
    this.#at = undefined
    await rm(repository, { recursive: true, force: true })
    if (packs.count <= 1) throw new GitError('TooLarge', TOO_LARGE)
    throw new GitError('GitFailed', 'what was kept of older commits was too large; begins anew')
  }

  async #packs(): Promise<{ readonly count: number; readonly size: number; readonly largest: number }> {
    const place = join(this.#git.repository, 'objects/pack')
    const names = await readdir(place).catch(() => [])
    const sizes = await Promise.all(names.map(async (name) => (await stat(join(place, name))).size))
    return {
      count: names.filter((name) => name.endsWith('.pack')).length,
      size: sizes.reduce((sum, size) => sum + size, 0),
      largest: Math.max(0, ...sizes),
    }
  }
}

function shortName(ref: string): string {
  return ref.replace(/^refs\/(heads|tags)\//, '')
}
