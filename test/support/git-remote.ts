import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import nodeProcess from 'node:process'
import { systemClock } from '../../src/base/clock.ts'
import type { GitReference } from '../../src/generated/types.ts'
import { GitOrigin, type GitOriginOptions } from '../../src/gitops/git-origin.ts'
import type { GitSecrets } from '../../src/gitops/git-repository.ts'
import { kustomize } from '../../src/gitops/kustomize.ts'
import type { Fetched, Snapshot } from '../../src/gitops/snapshot.ts'

/** By path: contents, or what else stands there. */
export type GitTree = Readonly<Record<string, string | { readonly mode: '120000' | '160000' | '100755'; readonly data: string }>>

/** A bare repository on disk, written with the system's git and no configuration of whoever runs the test. */
export class GitRemote {
  readonly base: string
  readonly path: string
  #seconds = 1_700_000_000

  private constructor(base: string, name: string) {
    this.base = base
    this.path = join(base, name)
  }

  static async create(options: { readonly format?: 'sha1' | 'sha256'; readonly name?: string } = {}): Promise<GitRemote> {
    const remote = new GitRemote(mkdtempSync(join(tmpdir(), 'pmk-git-')), options.name ?? 'remote.git')
    mkdirSync(remote.path)
    await remote.git('init', '--quiet', '--bare', '--template=', '--initial-branch=main', `--object-format=${options.format ?? 'sha1'}`)
    return remote
  }

  get url(): string {
    return `file://${this.path}`
  }

  /** Its output, trimmed. Rejects with what it says. */
  git(...args: readonly string[]): Promise<string> {
    return this.pipe('', ...args)
  }

  pipe(input: string, ...args: readonly string[]): Promise<string> {
    const env = {
      PATH: nodeProcess.env.PATH,
      HOME: this.base,
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_AUTHOR_NAME: 'Ada',
      GIT_AUTHOR_EMAIL: 'ada@example.com',
      GIT_COMMITTER_NAME: 'Ada',
      GIT_COMMITTER_EMAIL: 'ada@example.com',
    }
    return new Promise((resolve, reject) => {
      const child = spawn('git', [...args], { cwd: this.path, env })
      let stdout = ''
      let stderr = ''
      child.stdout.on('data', (chunk) => {
        stdout += chunk
      })
      child.stderr.on('data', (chunk) => {
        stderr += chunk
      })
      child.on('error', reject)
      child.on('close', (code) => (code === 0 ? resolve(stdout.trim()) : reject(new Error(`git ${args.join(' ')}: ${code}: ${stderr}`))))
      child.stdin.on('error', () => {})
      child.stdin.end(input)
    })
  }

  /** A commit of exactly these files on top of the branch, or with `orphan` of nothing. Gives it. */
  async commit(tree: GitTree, options: { readonly branch?: string; readonly orphan?: boolean } = {}): Promise<string> {
    const { branch = 'main', orphan = false } = options
    this.#seconds += 1
    const who = `Ada <ada@example.com> ${this.#seconds} +0000`
    const previous = await this.git('for-each-ref', '--format=%(objectname)', `refs/heads/${branch}`)
    const lines = [`commit refs/heads/${branch}`, `committer ${who}`, 'data 4', 'test']
    if (!orphan && previous !== '') lines.push(`from ${previous}`)
    lines.push('deleteall')
    for (const [path, entry] of Object.entries(tree)) {
      const { mode, data } = typeof entry === 'string' ? { mode: '100644', data: entry } : entry
      if (mode === '160000') lines.push(`M ${mode} ${data} ${quoted(path)}`)
      else lines.push(`M ${mode} inline ${quoted(path)}`, `data ${Buffer.byteLength(data)}`, data)
    }
    await this.pipe(`${lines.join('\n')}\n`, 'fast-import', '--quiet', '--force')
    return await this.git('rev-parse', `refs/heads/${branch}`)
  }

  /** A tree made entry by entry, with any names at all. Gives it. */
  async tree(
    entries: readonly { readonly mode: string; readonly type: string; readonly object: string; readonly name: string }[],
  ): Promise<string> {
    const text = entries.map(({ mode, type, object, name }) => `${mode} ${type} ${object}\t${name}\0`).join('')
    return await this.pipe(text, 'mktree', '-z', '--missing')
  }

  blob(text: string): Promise<string> {
    return this.pipe(text, 'hash-object', '-w', '--stdin')
  }

  async commitTree(tree: string, branch = 'main'): Promise<string> {
    const commit = await this.git('commit-tree', '-m', 'test', tree)
    await this.git('update-ref', `refs/heads/${branch}`, commit)
    return commit
  }

  remove(): void {
    rmSync(this.base, { recursive: true, force: true })
  }
}

/** What follows a remote, with a directory of its own for what it keeps. */
export class Follower {
  readonly directory: string
  readonly origin: GitOrigin
  readonly #base: string
  secrets: GitSecrets

  constructor(
    reference: Partial<GitReference> & { readonly url: string },
    options: Partial<GitOriginOptions> & {
      readonly login?: Readonly<Record<string, string>>
      readonly trusted?: Readonly<Record<string, string>>
    } = {},
  ) {
    const { login = {}, trusted, ...rest } = options
    this.#base = mkdtempSync(join(tmpdir(), 'pmk-follow-'))
    this.directory = join(this.#base, 'kept')
    this.secrets = { login: new Map(Object.entries(login)), trusted: trusted && new Map(Object.entries(trusted)) }
    this.origin = new GitOrigin({
      directory: this.directory,
      reference: { ref: {}, path: '', ...reference },
      secrets: () => this.secrets,
      kustomize,
      ...rest,
    })
  }

  /** `timeout`: in milliseconds. */
  fetch(timeout = 30_000): Promise<Fetched> {
    const end = new AbortController()
    const cancel = systemClock.schedule(timeout, () => end.abort(new Error('timed out')))
    return this.origin.fetch(end.signal).finally(cancel)
  }

  async snapshot(): Promise<Snapshot> {
    const fetched = await this.fetch()
    if (fetched.type !== 'snapshot') throw new Error(`no snapshot: ${JSON.stringify(fetched)}`)
    return fetched.snapshot
  }

  async files(): Promise<Readonly<Record<string, string>>> {
    return Object.fromEntries((await this.snapshot()).files.map(({ path, text }) => [path, text]))
  }

  /** `RefNotFound: v9 is not in file:///…` */
  async failure(): Promise<string> {
    const fetched = await this.fetch()
    return fetched.type === 'failed' ? `${fetched.reason}: ${fetched.message}` : `not failed: ${fetched.type}`
  }

  remove(): void {
    rmSync(this.#base, { recursive: true, force: true })
  }
}

/** As git quotes names. */
function quoted(path: string): string {
  const octal = (char: string): string => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`
  return `"${path.replace(/[^ !#-[\]-~]/g, octal)}"`
}
