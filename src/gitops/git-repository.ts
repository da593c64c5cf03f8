import { existsSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import nodeProcess from 'node:process'
import { fileURLToPath } from 'node:url'
import { type BoundedResult, runBounded } from '../base/command.ts'
import type { GitReference } from '../generated/types.ts'
import type { FetchFailure } from './snapshot.ts'

/** What git may write while it fetches, in bytes, and what it may say. */
const LARGEST_PACK = 512 * 1024 * 1024
const LARGEST_OUTPUT = 64 * 1024 * 1024
/** Old commits and their packs are thrown away after so many new ones. */
const TIDY_AFTER = 20

const TARGET = 'refs/pmk/target'

/** Keys of the Secrets that a source names, decoded. */
export interface GitSecrets {
  readonly login: ReadonlyMap<string, string>
  /** Undefined: nothing is to be verified. */
  readonly trusted: ReadonlyMap<string, string> | undefined
}

/** git could not do it; what to tell, and as which reason. */
export class GitError extends Error {
  override readonly name = 'GitError'
  readonly reason: FetchFailure

  constructor(reason: FetchFailure, message: string) {
    super(message)
    this.reason = reason
  }
}

export interface GitRepositoryOptions {
  /** Of its own; made where it is missing. */
  readonly directory: string
  readonly reference: GitReference
  readonly largestPack?: number
}

/**
 * A bare repository that holds one commit of a remote one. Neither hooks, filters nor configuration of the remote are ever run or
 * read, and nothing of it is checked out: files are read from its objects. Of the host's configuration nothing applies either.
 */
export class GitRepository {
  readonly #options: GitRepositoryOptions
  #fetches = 0

  constructor(options: GitRepositoryOptions) {
    this.#options = options
  }

  get #path(): string {
    return join(this.#options.directory, 'repository.git')
  }

  /** Fetches what the reference names now and gives its commit. Throws GitError. */
  async fetch(secrets: GitSecrets, signal: AbortSignal): Promise<string> {
    const { url, ref } = this.#options.reference
    await this.#prepare(secrets)
    try {
      if (ref.commit !== undefined && (await this.#has(ref.commit, signal))) return ref.commit
      const wanted =
        ref.commit ?? (ref.branch !== undefined ? `refs/heads/${ref.branch}` : ref.tag !== undefined ? `refs/tags/${ref.tag}` : 'HEAD')
      if (ref.commit === undefined) {
        const now = await this.#remoteCommit(wanted, signal)
        if (now !== undefined && (await this.#isAt(now, signal))) return await this.#commit(signal)
      }
      const result = await this.#git(
        [
          'fetch',
          '--quiet',
          '--depth=1',
          '--no-tags',
          '--no-recurse-submodules',
          '--no-write-fetch-head',
          '--force',
          '--',
          url,
          `+${wanted}:${TARGET}`,
        ],
        { signal, limited: true },
      )
      if (result.code !== 0 && ref.commit !== undefined) await this.#fetchAll(signal)
      else this.#refuse(result)
      if (ref.commit !== undefined && !(await this.#has(ref.commit, signal)))
        throw new GitError('RefNotFound', `commit ${ref.commit} is not in ${url}`)
      this.#fetches += 1
      const commit = ref.commit ?? (await this.#commit(signal))
      if (this.#fetches % TIDY_AFTER === 0) await this.#git(['gc', '--quiet', '--prune=now'], { signal })
      return commit
    } finally {
      await rm(join(this.#options.directory, 'login'), { recursive: true, force: true })
    }
  }

  /** Throws GitError unless the commit bears a good signature of a trusted key. */
  async verify(commit: string, trusted: ReadonlyMap<string, string>, signal: AbortSignal): Promise<void> {
    const home = join(this.#options.directory, 'trusted')
    await rm(home, { recursive: true, force: true })
    await mkdir(home, { recursive: true, mode: 0o700 })
    try {
      const signers = trusted.get('allowed_signers')
      await writeFile(join(home, 'allowed_signers'), signers ?? '', { mode: 0o600 })
      for (const [name, key] of trusted) {
        if (!name.endsWith('.asc')) continue
        const file = join(home, 'key.asc')
        await writeFile(file, key, { mode: 0o600 })
        const { code, stderr } = await runBounded(['gpg', '--homedir', home, '--batch', '--quiet', '--no-autostart', '--import', file], {
          env: this.#env(),
          maxOutput: LARGEST_OUTPUT,
          signal,
        })
        if (code !== 0) throw new GitError('VerificationFailed', `${name} is no OpenPGP public key: ${lastLine(stderr)}`)
      }
      const config = ['-c', `gpg.ssh.allowedSignersFile=${join(home, 'allowed_signers')}`]
      const { code, stderr } = await this.#git([...config, 'verify-commit', '--raw', commit], { signal, env: { GNUPGHOME: home } })
      // gpg says so of any good signature, also of keys that are revoked or expired: GOODSIG is for the others only.
      const isGood = /^\[GNUPG:\] GOODSIG /m.test(stderr) || /^Good "git" signature for /m.test(stderr)
      if (code !== 0 || !isGood)
        throw new GitError('VerificationFailed', `commit ${commit.slice(0, 12)} has no good signature of a trusted key`)
    } catch (err) {
      if ((err as NodeJS.ErrnoException).code === 'ENOENT')
        throw new GitError('VerificationFailed', 'signatures are checked by gpg, which is not installed')
      throw err
    } finally {
      await rm(home, { recursive: true, force: true })
    }
  }

  /** All entries of the tree, as git-ls-tree tells them: mode, type, object, size, path. */
  async list(commit: string, signal: AbortSignal): Promise<readonly TreeEntry[]> {
    const result = await this.#git(['ls-tree', '-r', '-t', '-z', '-l', '--full-tree', commit], { signal })
    this.#refuse(result)
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
    const result = await this.#git(['cat-file', '--batch'], { signal, input: `${objects.join('\n')}\n` })
    this.#refuse(result)
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

  async discard(): Promise<void> {
    await rm(this.#options.directory, { recursive: true, force: true })
  }

  async #prepare({ login }: GitSecrets): Promise<void> {
    const { directory, reference } = this.#options
    const files = join(directory, 'login')
    await rm(files, { recursive: true, force: true })
    await mkdir(files, { recursive: true, mode: 0o700 })
    const config: string[] = [
      '[core]',
      'hooksPath = /dev/null',
      'fsmonitor = false',
      '[gc]',
      'auto = 0',
      '[maintenance]',
      'auto = false',
      '[protocol]',
      'allow = never',
    ]
    for (const name of ['https', 'ssh', 'file']) config.push(`[protocol "${name}"]`, 'allow = always')
    const { url } = reference
    if (url.startsWith('file://')) config.push('[safe]', `directory = ${quoted(fileURLToPath(url))}`)
    const password = login.get('password')
    if (url.startsWith('https://') && password !== undefined) {
      const basic = Buffer.from(`${login.get('username') ?? 'git'}:${password}`).toString('base64')
      // In a file, since arguments and environments can be seen by others; and never sent on to where a redirect leads.
      config.push(`[http ${quoted(url)}]`, `extraHeader = ${quoted(`Authorization: Basic ${basic}`)}`, '[http]', 'followRedirects = false')
    }
    const put = async (name: string, text: string): Promise<string> => {
      const path = join(files, name)
      await writeFile(path, text, { mode: 0o600 })
      return path
    }
    const authority = login.get('ca.crt')
    if (authority !== undefined) config.push('[http]', `sslCAInfo = ${quoted(await put('ca.crt', authority))}`)
    const identity = login.get('identity')
    if (identity !== undefined) {
      const key = await put('identity', identity.endsWith('\n') ? identity : `${identity}\n`)
      const hosts = await put('known_hosts', login.get('known_hosts') ?? '')
      const options = [
        'BatchMode=yes',
        'IdentitiesOnly=yes',
        'StrictHostKeyChecking=yes',
        `UserKnownHostsFile=${hosts}`,
        'GlobalKnownHostsFile=/dev/null',
        'ConnectTimeout=20',
      ]
      config.push('[core]', `sshCommand = ${quoted(`ssh -F /dev/null -i '${key}' ${options.map((option) => `-o '${option}'`).join(' ')}`)}`)
    } else config.push('[core]', 'sshCommand = ssh -o BatchMode=yes -o ConnectTimeout=20')
    await put('gitconfig', `${config.join('\n')}\n`)
    if (!existsSync(join(this.#path, 'HEAD'))) {
      await rm(this.#path, { recursive: true, force: true })
      this.#refuse(
        await this.#git(['init', '--quiet', '--bare', '--template=', this.#path], { signal: new AbortController().signal, outside: true }),
      )
    }
  }

  /** A server may not give single commits: then everything is fetched. */
  async #fetchAll(signal: AbortSignal): Promise<void> {
    const { url } = this.#options.reference
    const unshallow = existsSync(join(this.#path, 'shallow')) ? ['--unshallow'] : []
    this.#refuse(
      await this.#git(
        [
          'fetch',
          '--quiet',
          ...unshallow,
          '--no-recurse-submodules',
          '--no-write-fetch-head',
          '--force',
          '--',
          url,
          '+refs/heads/*:refs/pmk/heads/*',
          '+refs/tags/*:refs/pmk/tags/*',
        ],
        { signal, limited: true },
      ),
    )
  }

  /** The commit, or the tag's object, that the remote has under this name. */
  async #remoteCommit(name: string, signal: AbortSignal): Promise<string | undefined> {
    const { url } = this.#options.reference
    const result = await this.#git(['ls-remote', '--quiet', '--', url, name], { signal })
    this.#refuse(result)
    const lines = result.stdout.toString().split('\n')
    const found = lines.map((line) => line.split('\t')).find(([, ref]) => ref === name)?.[0]
    if (found === undefined && name === 'HEAD')
      throw new GitError('RefNotFound', `HEAD of ${url} names no branch that is there; say which one with spec.git.ref.branch`)
    if (found === undefined) throw new GitError('RefNotFound', `${name.replace(/^refs\/(heads|tags)\//, '')} is not in ${url}`)
    return found
  }

  async #isAt(object: string, signal: AbortSignal): Promise<boolean> {
    const { code, stdout } = await this.#git(['rev-parse', '--quiet', '--verify', TARGET], { signal })
    return code === 0 && stdout.toString().trim() === object
  }

  async #commit(signal: AbortSignal): Promise<string> {
    const result = await this.#git(['rev-parse', '--verify', `${TARGET}^{commit}`], { signal })
    this.#refuse(result)
    return result.stdout.toString().trim()
  }

  async #has(commit: string, signal: AbortSignal): Promise<boolean> {
    return (await this.#git(['cat-file', '-e', `${commit}^{commit}`], { signal })).code === 0
  }

  async #git(
    args: readonly string[],
    options: {
      readonly signal: AbortSignal
      readonly input?: string
      readonly limited?: boolean
      readonly outside?: boolean
      readonly env?: Readonly<Record<string, string>>
    },
  ): Promise<BoundedResult> {
    const { directory, largestPack = LARGEST_PACK } = this.#options
    const git = ['git', ...(options.outside === true ? [] : [`--git-dir=${this.#path}`]), ...args]
    // A remote decides how much it sends; the kernel ends what writes more.
    const [file = 'git', ...rest] = options.limited === true ? ['prlimit', `--fsize=${largestPack}`, '--', ...git] : git
    try {
      return await runBounded([file, ...rest], {
        cwd: directory,
        env: { ...this.#env(), ...options.env },
        maxOutput: LARGEST_OUTPUT,
        signal: options.signal,
        ...(options.input === undefined ? {} : { input: options.input }),
      })
    } catch (err) {
      if ((err as NodeJS.ErrnoException).code === 'ENOENT') throw new GitError('GitFailed', 'git is not installed')
      throw err
    }
  }

  #env(): Readonly<Record<string, string | undefined>> {
    const { PATH, HOME, SSH_AUTH_SOCK } = nodeProcess.env
    return {
      PATH,
      HOME,
      SSH_AUTH_SOCK,
      LC_ALL: 'C',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: join(this.#options.directory, 'login', 'gitconfig'),
      GIT_TERMINAL_PROMPT: '0',
      GIT_ASKPASS: 'false',
      SSH_ASKPASS: 'false',
      GIT_LFS_SKIP_SMUDGE: '1',
    }
  }

  #refuse({ code, stderr, isTooLong }: BoundedResult): void {
    if (isTooLong) throw new GitError('TooLarge', `the repository holds more than ${LARGEST_OUTPUT} bytes of manifests`)
    if (code === 0) return
    throw new GitError(reasonOf(stderr, code), `git: ${lastLine(stderr) || `failed with code ${code}`}`)
  }
}

export interface TreeEntry {
  /** 100644, 100755, 120000 (a link), 160000 (a submodule), 040000. */
  readonly mode: string
  readonly type: string
  readonly object: string
  readonly size: number
  readonly path: string
}

function reasonOf(stderr: string, code: number): FetchFailure {
  if (/couldn't find remote ref|Remote branch .* not found/i.test(stderr)) return 'RefNotFound'
  if (/File too large|file size limit|SIGXFSZ|signal 25/i.test(stderr) || code === 153) return 'TooLarge'
  if (
    /Authentication failed|could not read Username|could not read Password|Permission denied|Host key verification failed|error: 40[13]/i.test(
      stderr,
    )
  )
    return 'AuthenticationFailed'
  if (
    /unable to access|Could not resolve|Connection (refused|timed out|reset)|Could not read from remote|does not appear to be a git repository|not found|does not exist/i.test(
      stderr,
    )
  )
    return 'RemoteUnreachable'
  return 'GitFailed'
}

/** What matters of what git says, in one line. */
function lastLine(text: string): string {
  const lines = text.trim().split('\n')
  return (lines.find((line) => /^(fatal|error|remote): /.test(line)) ?? lines.at(-1) ?? '').replace(/^(fatal|error): /, '').slice(0, 500)
}

/** As git-config has it. */
function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`
}
