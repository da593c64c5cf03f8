import { capabilityName } from './capabilities.ts'
import type { HostTools } from './host.ts'
import { type LaunchConfig, type Rlimit, StartError } from './runtime.ts'

/** One word of argv or one NAME=value, in bytes without the closing NUL: MAX_ARG_STRLEN of Linux less one. */
const LONGEST_WORD = 131_071
/** argv and environment together, with their pointers: a quarter of the usual 8 MiB stack, and room for the kernel's own. */
const LARGEST_LAUNCH = 2 * 1024 * 1024 - 16 * 1024

export interface LaunchText {
  /** Sourced (or read) by the shell that becomes the program. */
  readonly main: Buffer
  /**
   * Read by a second shell that already has the program's user. It holds the environment, so that LD_PRELOAD and its like
   * never reach a tool that is still root. Undefined when the user doesn't change.
   */
  readonly second: Buffer | undefined
}

export interface LaunchOptions {
  readonly host: HostTools
  /** Absolute path of the program. */
  readonly program: string
  /** Shell words that open the second text for reading, as `<'/path'` or `<&3 3<&-`. */
  readonly secondInput: string
  /** The shell makes the session itself when nobody has made one. */
  readonly setsid: boolean
  /** Lines put in front, such as joining a cgroup. */
  readonly prologue?: string
  /** Words that run the rest of the chain where its mounts are; the working directory is entered there. */
  readonly mounts?: readonly string[] | undefined
}

/**
 * Writes the shell text that turns a shell into the program: builtins where they do, well-kept tools where a field asks
 * for one. Secrets stand in the text only, never in an argument list.
 */
export function launchText(config: LaunchConfig, options: LaunchOptions): LaunchText {
  checkWords(config)
  const { host, program, mounts } = options
  const chain: string[] = []
  const lines = options.prologue === undefined ? [] : [options.prologue]

  lines.push(orDie(`cd -P -- ${quote((mounts === undefined ? config.workingDir : undefined) ?? '/')}`, 127))
  if (config.umask !== undefined) lines.push(orDie(`umask ${quote(config.umask)}`, 126))
  if (config.oomScoreAdj !== undefined) lines.push(orDie(`echo ${Math.trunc(config.oomScoreAdj)} >/proc/self/oom_score_adj`, 126))
  else if (host.protectsShims) lines.push(`echo ${host.oomScoreAdj} >/proc/self/oom_score_adj`)
  const limits = limitLines(config.rlimits ?? {}, host)
  lines.push(...limits.lines)

  if (options.setsid) chain.push(tool(host, 'setsid'))
  // Ahead of limits and privileges, which might leave too little to mount with.
  if (mounts !== undefined) chain.push(...mounts)
  if (config.nice !== undefined && config.nice !== host.nice) chain.push(tool(host, 'nice'), '-n', String(config.nice - host.nice))
  if (config.ioPriority !== undefined) {
    chain.push(tool(host, 'ionice'), '-c', { RealTime: '1', BestEffort: '2', Idle: '3' }[config.ioPriority.class])
    if (config.ioPriority.level !== undefined && config.ioPriority.class !== 'Idle') chain.push('-n', String(config.ioPriority.level))
  }
  if (config.cpuAffinity !== undefined) chain.push(tool(host, 'taskset'), '-c', config.cpuAffinity)
  if (limits.words.length > 0) chain.push(tool(host, 'prlimit'), ...limits.words)
  const privileges = privilegeWords(config, host)
  if (privileges.length > 0) chain.push(tool(host, 'setpriv'), ...privileges)

  const command = [program, ...config.command.slice(1)].map(quote).join(' ')
  const chainWords = chain.map(quote).join(' ')
  const stdin = `0<${quote(config.stdinFile ?? '/dev/null')}`
  if (privileges.length === 0 && mounts === undefined) {
    // The redirection stands on the last line: the shell may be reading this very text from its standard input.
    lines.push(...environmentLines(config.env), `exec ${stdin} ${chainWords} ${command}`)
    return { main: text(lines), second: undefined }
  }
  lines.push(...environmentLines({}), `exec ${chainWords} ${quote(host.shell)} ${options.secondInput}`)
  // Whether the user may read the stdin file is decided by the user's rights: the second shell opens it.
  const second = [...environmentLines(config.env), `exec ${stdin} ${command}`]
  return { main: text(lines), second: text(second) }
}

/** A word for sh, exact for every byte but NUL. */
export function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}

function text(lines: readonly string[]): Buffer {
  return Buffer.from(`${lines.join('\n')}\n`)
}

function orDie(line: string, status: number): string {
  return `${line} || exit ${status}`
}

/** Exports the environment and nothing else. PATH last: it governs the lookups that follow. */
function environmentLines(env: Readonly<Record<string, string>>): string[] {
  const { PATH, ...others } = env
  const entries = Object.entries(PATH === undefined ? others : { ...others, PATH })
  // sh exports these of its own accord.
  const lines = ['unset PWD OLDPWD SHLVL PATH']
  for (const [name, value] of entries) lines.push(`export ${name}=${quote(value)}`)
  return lines
}

function limitLines(limits: Readonly<Record<string, Rlimit>>, host: HostTools): { lines: string[]; words: string[] } {
  const lines: string[] = []
  const words: string[] = []
  for (const [name, { soft, hard }] of Object.entries(limits)) {
    if (!/^[a-z]{1,12}$/.test(name)) throw new StartError('NotPermitted', `There is no resource limit "${name}"`)
    if (name === 'nofile') {
      const [low, high] = [soft, hard].map((limit) => (limit === 'unlimited' ? host.largestNofile : limit))
      // Never may the soft limit be above the hard one, not even in between.
      const order = (low ?? 0) <= host.hardNofile ? [`-S -n ${low}`, `-H -n ${high}`] : [`-H -n ${high}`, `-S -n ${low}`]
      lines.push(orDie(order.map((words) => `ulimit ${words}`).join(' && '), 126))
    } else words.push(`--${name}=${soft}:${hard}`)
  }
  // Node raises its own soft limit to the hard one; programs that use select() break above 1024.
  if (limits.nofile === undefined) lines.push(`ulimit -S -n ${Math.min(1024, host.hardNofile)}`)
  return { lines, words }
}

function privilegeWords(config: LaunchConfig, host: HostTools): string[] {
  const words: string[] = []
  const { identity, capabilities } = config
  if (identity !== undefined && !host.isOwn(identity)) {
    words.push(`--reuid=${identity.uid}`, `--regid=${identity.gid}`)
    words.push(identity.supplementalGroups.length === 0 ? '--clear-groups' : `--groups=${identity.supplementalGroups.join(',')}`)
  }
  if (config.noNewPrivileges === true) words.push('--no-new-privs')
  const drop = (capabilities?.drop ?? []).map(capability)
  const add = (capabilities?.add ?? []).map(capability)
  if (drop.length + add.length > 0) {
    const user = identity?.uid ?? host.uid
    const dropped = drop.map((name) => `-${name}`)
    const added = add.map((name) => `+${name}`)
    // The bounding set is what exec can give at all. Who isn't root keeps a capability over exec only as an ambient one.
    if (dropped.length > 0) words.push(`--bounding-set=${[...dropped, ...added].join(',')}`)
    if (user === 0) {
      if (dropped.length > 0) words.push(`--inh-caps=${dropped.join(',')}`)
    } else {
      words.push(`--inh-caps=${['-all', ...added].join(',')}`)
      if (added.length > 0) words.push(`--ambient-caps=${['-all', ...added].join(',')}`)
    }
  }
  return words
}

function capability(name: string): string {
  const plain = capabilityName(name)
  if (plain === undefined) throw new StartError('NotPermitted', `There is no capability "${name}"`)
  return plain.toLowerCase()
}

function tool(host: HostTools, name: string): string {
  const path = host.tools.get(name)
  if (path === undefined) throw new StartError('HostFailure', `This host has no "${name}" command, which the launch needs`)
  return path
}

/** What can't be passed to a program is said before anything runs. Values are never part of the message. */
function checkWords(config: LaunchConfig): void {
  let total = 0
  for (const [index, word] of config.command.entries()) {
    const size = Buffer.byteLength(word)
    if (word.includes('\0')) throw new StartError('InvalidEnvironment', `Word ${index} of the command holds a NUL byte`)
    if (size > LONGEST_WORD) {
      throw new StartError(
        'ArgumentTooLong',
        `Word ${index} of the command has ${size} bytes, ${LONGEST_WORD} is the most the kernel takes`,
      )
    }
    total += size + 9
  }
  for (const [name, value] of Object.entries(config.env)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      throw new StartError(
        'InvalidEnvironment',
        `Environment variable ${JSON.stringify(name)}: only letters, digits and _ can be passed through a shell`,
      )
    }
    if (value.includes('\0')) throw new StartError('InvalidEnvironment', `Environment variable ${name} holds a NUL byte`)
    if (name === 'OPTIND' && !/^\d{1,9}$/.test(value)) {
      throw new StartError('InvalidEnvironment', 'Environment variable OPTIND must be a number: shells refuse it otherwise')
    }
    const size = Buffer.byteLength(name) + 1 + Buffer.byteLength(value)
    if (size > LONGEST_WORD) {
      throw new StartError(
        'ArgumentTooLong',
        `Environment variable ${name} has ${size} bytes with its name, ${LONGEST_WORD} is the most the kernel takes`,
      )
    }
    total += size + 9
  }
  if (total > LARGEST_LAUNCH) {
    throw new StartError('ArgumentTooLong', `Command and environment have ${total} bytes, ${LARGEST_LAUNCH} is the most the kernel takes`)
  }
}
