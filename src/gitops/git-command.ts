import { dirname, join } from 'node:path'
import nodeProcess from 'node:process'
import { type BoundedResult, runBounded } from '../base/command.ts'
import type { FetchFailure } from './snapshot.ts'

/** What a repository may have on disk, in bytes; the kernel ends what writes a larger file. */
export const LARGEST_REPOSITORY: number = 512 * 1024 * 1024
/** Address space of git, in bytes: a pack of a few bytes can say that it is as large as anything. */
const LARGEST_MEMORY = 4 * 1024 * 1024 * 1024
const LARGEST_OUTPUT = 64 * 1024 * 1024

/** git could not do it; what to tell, and as which reason. */
export class GitError extends Error {
  override readonly name = 'GitError'
  readonly reason: FetchFailure

  constructor(reason: FetchFailure, message: string) {
    super(message)
    this.reason = reason
  }
}

export interface GitRun {
  readonly signal: AbortSignal
  readonly input?: string
  /** Not in the repository: there may be none yet. */
  readonly isOutside?: boolean
  readonly env?: Readonly<Record<string, string>>
  /** In bytes; more ends it. */
  readonly maxOutput?: number
}

/**
 * Runs the system's git on a repository in a directory of our own. Nothing of the host's configuration applies, neither the system's
 * nor a user's, but proxies and the agent for ssh that the server was started with. It ends with us, even if we are killed.
 */
export class Git {
  readonly directory: string
  readonly largestRepository: number

  constructor(directory: string, largestRepository: number = LARGEST_REPOSITORY) {
    this.directory = directory
    this.largestRepository = largestRepository
  }

  get repository(): string {
    return join(this.directory, 'repository.git')
  }

  /** Configuration and credentials, there for as long as a remote is spoken with. */
  get login(): string {
    return join(this.directory, 'login')
  }

  /** Keys to verify signatures with. */
  get trusted(): string {
    return join(this.directory, 'trusted')
  }

  /** Runs `git ARGS`; what it says is for `refuse`. Throws GitError when it can't be started. */
  async run(args: readonly string[], { isOutside = false, ...options }: GitRun): Promise<BoundedResult> {
    const result = await this.exec(['git', ...(isOutside ? [] : [`--git-dir=${this.repository}`]), ...args], options)
    if (result.code === 127 && /^prlimit: /m.test(result.stderr)) throw new GitError('GitFailed', 'git is not installed')
    return result
  }

  /** Runs another program that git needs, as bounded as git itself. */
  async exec(command: readonly string[], options: Omit<GitRun, 'isOutside'>): Promise<BoundedResult> {
    const { signal, input, env, maxOutput = LARGEST_OUTPUT } = options
    const limits = ['--core=0', `--fsize=${this.largestRepository}`, `--as=${LARGEST_MEMORY}`]
    try {
      return await runBounded(['setpriv', '--pdeathsig', 'KILL', '--', 'prlimit', ...limits, '--', ...command], {
        cwd: this.directory,
        env: { ...this.#env(), ...env },
        maxOutput,
        signal,
        ...(input === undefined ? {} : { input }),
      })
    } catch (err) {
      if ((err as NodeJS.ErrnoException).code === 'ENOENT')
        throw new GitError('GitFailed', 'setpriv and prlimit, which bound git, are not installed (package util-linux)')
      throw err
    }
  }

  #env(): Readonly<Record<string, string | undefined>> {
    const { PATH, SSH_AUTH_SOCK, https_proxy, HTTPS_PROXY, no_proxy, NO_PROXY, all_proxy, ALL_PROXY } = nodeProcess.env
    return {
      ...{ PATH, SSH_AUTH_SOCK, https_proxy, HTTPS_PROXY, no_proxy, NO_PROXY, all_proxy, ALL_PROXY },
      LC_ALL: 'C',
      // Where there is no .netrc, and nothing else of a user.
      HOME: this.login,
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: join(this.login, 'gitconfig'),
      GIT_ATTR_NOSYSTEM: '1',
      // Not even by accident the repository that our directory may lie in.
      GIT_CEILING_DIRECTORIES: dirname(this.directory),
      GIT_NO_LAZY_FETCH: '1',
      GIT_NO_REPLACE_OBJECTS: '1',
      GIT_TERMINAL_PROMPT: '0',
      GIT_ASKPASS: 'false',
      SSH_ASKPASS: 'false',
      SSH_ASKPASS_REQUIRE: 'never',
    }
  }
}

/** Throws GitError unless git did it. `secrets`: texts that must not be repeated, whoever says them. */
export function refuse({ code, stderr, isTooLong }: BoundedResult, secrets: readonly string[] = []): void {
  if (isTooLong) throw new GitError('TooLarge', 'git found more in the repository than anybody keeps manifests in')
  if (code === 0) return
  const text = secrets.reduce((masked, secret) => masked.replaceAll(secret, '***'), stderr)
  throw new GitError(reasonOf(text), `git: ${sayingOf(text, code)}`)
}

const REASONS: readonly (readonly [FetchFailure, RegExp])[] = [
  ['RefNotFound', /couldn't find remote ref|not our ref/i],
  [
    'AuthenticationFailed',
    /Authentication failed|could not read (Username|Password)|Permission denied|Host key verification failed|returned error: 40[13]/i,
  ],
  [
    'RemoteUnreachable',
    /unable to access|Could not resolve|Connection (refused|timed out|reset|closed)|Could not read from remote|does not appear to be a git repository|repository .*not found|hung up|early EOF/i,
  ],
]

function reasonOf(stderr: string): FetchFailure {
  return REASONS.find(([, pattern]) => pattern.test(stderr))?.[0] ?? 'GitFailed'
}

/** Lines that say nothing that another doesn't say better. */
const EMPTY_PHRASES =
  /^@|Could not read from remote repository|Please make sure you have the correct access rights|and the repository exists/

/** What matters of what git says, in one line that is safe on a terminal. */
function sayingOf(stderr: string, code: number): string {
  if (/Host key verification failed/.test(stderr))
    return 'the host key of the remote is not one of known_hosts in the Secret that spec.git.secretRef names'
  if (/could not read (Username|Password)|Authentication failed/.test(stderr))
    return 'the remote wants a user and password, or refuses those of the Secret that spec.git.secretRef names'
  const lines = stderr
    // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must not reach a terminal.
    .replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]+/g, ' ')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !EMPTY_PHRASES.test(line))
  const telling = lines.filter((line) => /^(fatal|error|remote): /.test(line))
  const [first, ...more] = (telling.length > 0 ? telling : lines.slice(-1)).map((line) => line.replace(/^(fatal|error): /, ''))
  const text = first?.startsWith('remote: ') && more[0] !== undefined ? `${first}; ${more[0]}` : (first ?? `failed with code ${code}`)
  return text.slice(0, 500)
}
