import { setMaxListeners } from 'node:events'
import { isAbort } from '../base/abort.ts'
import type { Clock } from '../base/clock.ts'
import { CliError } from './cli-error.ts'
import { connectOnce, findServer } from './connect.ts'
import { type FlagSpecs, parseFlags } from './flags.ts'
import type { Io } from './io.ts'
import type { ServerLocation, Verb, VerbEntry } from './verb.ts'
import { verbs } from './verbs.ts'

/** Flags that every verb has. */
export const globalFlags: FlagSpecs = {
  'data-dir': { type: 'string', placeholder: 'DIR', help: "The server's directory; else $PMK_HOME, else the usual place" },
  server: { type: 'string', placeholder: 'ADDRESS', help: 'Socket path or https:// address of the server' },
  kubeconfig: { type: 'string', placeholder: 'FILE', help: 'File that says where the server is and who you are; else $PMK_KUBECONFIG' },
  context: { type: 'string', placeholder: 'NAME', help: 'The context of the kubeconfig to use' },
  'certificate-authority': { type: 'string', placeholder: 'FILE', help: 'Who must have signed the certificate of an https:// server' },
  token: { type: 'string', placeholder: 'TOKEN', help: 'Bearer token for an https:// server; others can see flags, better use $PMK_TOKEN' },
  'token-file': { type: 'string', placeholder: 'FILE', help: 'File that holds the bearer token for an https:// server' },
  'client-certificate': { type: 'string', placeholder: 'FILE', help: 'Certificate to show to an https:// server' },
  'client-key': { type: 'string', placeholder: 'FILE', help: 'The key of the client certificate' },
  namespace: { type: 'string', short: 'n', placeholder: 'NAME', help: 'The namespace to work in (default: default)' },
  v: { type: 'integer', short: 'v', placeholder: 'LEVEL', default: 0, help: '6 and above: show each request' },
  help: { type: 'boolean', short: 'h', help: 'Explain instead of doing' },
}

export interface CliOptions {
  readonly io: Io
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** Runs one command line and gives its exit code. Prints every failure; never throws. */
export async function runCli(argv: readonly string[], options: CliOptions): Promise<number> {
  const { io, signal } = options
  // Every request under way listens to it, and there may be many.
  setMaxListeners(0, signal)
  const found = findVerb(argv)
  try {
    if (found === undefined) return await runWithoutVerb(argv, options)
    const { verb } = await found.entry.load()
    const code = await runVerb(verb, found.argv, options)
    return signal.aborted && verb.handlesSignals !== true ? interruptedCode(signal) : code
  } catch (err) {
    if (isAbort(err, signal)) return interruptedCode(signal)
    const { describeError, describeUsage, exitCodeOf } = await import('./errors.ts')
    io.warn(`${describeError(err)}\n`)
    const usage = describeUsage(err, found?.name ?? '')
    if (usage !== undefined) io.warn(`${usage}\n`)
    return exitCodeOf(err)
  }
}

/** Why a command was interrupted: the reason that its signal is aborted with. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  readonly exitCode: number

  constructor(exitCode: number) {
    super('Interrupted')
    this.exitCode = exitCode
  }
}

async function runVerb(verb: Verb, argv: readonly string[], { io, clock, signal }: CliOptions): Promise<number> {
  const { args, rest, values, given } = parseFlags(argv, { ...globalFlags, ...verb.flags })
  if (values.help === true) {
    const { verbHelp } = await import('./help.ts')
    io.write(await verbHelp(verb, globalFlags, io.columns))
    return 0
  }
  const namespace = values.namespace as string | undefined
  if (namespace === '') throw new CliError('--namespace needs a name', { usage: true })
  const location = locationOf(values)
  const verbosity = values.v as number
  // A verb that asks no server doesn't care where one is.
  const found = await findServer(location, io).catch((err: unknown) => ({ failure: err }))
  const connection = 'failure' in found ? unreachable(found.failure) : connectOnce({ found, io, clock, signal, verbosity })
  const ctx = {
    io,
    clock,
    signal,
    namespace: namespace ?? ('failure' in found ? undefined : found.namespace) ?? 'default',
    namespaceGiven: namespace !== undefined,
    location,
    verbosity,
    verbs,
    connect: connection.open,
  }
  try {
    return (await verb.run({ ctx, args, rest, flags: values as never, given })) ?? 0
  } finally {
    await connection.close()
  }
}

function unreachable(failure: unknown): ReturnType<typeof connectOnce> {
  return { open: () => Promise.reject(failure), close: async () => {} }
}

/** Absent is what wasn't given. */
function locationOf(values: Readonly<Record<string, unknown>>): ServerLocation {
  const fields: Readonly<Record<keyof ServerLocation, string>> = {
    dataDir: 'data-dir',
    server: 'server',
    kubeconfig: 'kubeconfig',
    context: 'context',
    certificateAuthority: 'certificate-authority',
    token: 'token',
    tokenFile: 'token-file',
    clientCertificate: 'client-certificate',
    clientKey: 'client-key',
  }
  const given = Object.entries(fields).filter(([, flag]) => values[flag] !== undefined)
  return Object.fromEntries(given.map(([field, flag]) => [field, values[flag] as string]))
}

interface FoundVerb {
  readonly name: string
  readonly entry: VerbEntry
  readonly argv: readonly string[]
}

/** The verb is the first word (or two) that belongs to no flag; global flags may stand before it. */
function findVerb(argv: readonly string[]): FoundVerb | undefined {
  const at = firstWord(argv)
  if (at === undefined) return undefined
  const word = argv[at] ?? ''
  const whole = Object.hasOwn(verbs, word) ? verbs[word] : undefined
  if (whole !== undefined) return { name: word, entry: whole, argv: argv.toSpliced(at, 1) }
  const next = argv.slice(at + 1)
  const second = firstWord(next)
  if (second === undefined) return undefined
  const name = `${word} ${next[second] ?? ''}`
  const entry = Object.hasOwn(verbs, name) ? verbs[name] : undefined
  return entry && { name, entry, argv: argv.toSpliced(at + 1 + second, 1).toSpliced(at, 1) }
}

function firstWord(argv: readonly string[]): number | undefined {
  const withValue = new Set(['-n', '-v', ...Object.keys(globalFlags).flatMap((name) => (name === 'help' ? [] : [`--${name}`]))])
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? ''
    if (!word.startsWith('-')) return at
    if (word === '--') return undefined
    if (withValue.has(word)) at += 1
  }
  return undefined
}

async function runWithoutVerb(argv: readonly string[], { io }: CliOptions): Promise<number> {
  const at = firstWord(argv)
  const { generalHelp, groupHelp } = await import('./help.ts')
  if (at === undefined || argv[at] === 'help') {
    const topic = at === undefined ? undefined : argv[at + 1]
    if (argv.includes('--version')) {
      const { version } = await import('../base/version.ts')
      io.write(`pmk ${version}\n`)
      return 0
    }
    if (topic !== undefined && Object.hasOwn(verbs, topic)) {
      const { verbHelp } = await import('./help.ts')
      const { verb } = (await verbs[topic]?.load()) ?? {}
      if (verb !== undefined) io.write(await verbHelp(verb, globalFlags, io.columns))
      return 0
    }
    const { values } = parseFlags(argv, globalFlags)
    const asked = values.help === true || at !== undefined
    const help = generalHelp(globalFlags)
    if (asked) io.write(help)
    else io.warn(help)
    return asked ? 0 : 1
  }
  const word = argv[at] ?? ''
  const group = Object.keys(verbs).filter((name) => name.startsWith(`${word} `))
  if (group.length === 0) {
    const candidates = [...new Set(Object.keys(verbs).map((name) => name.split(' ')[0] ?? name))]
    throw new CliError(`unknown command "${word}" for "pmk"`, { usage: true, meant: { word, candidates } })
  }
  const second = argv.slice(at + 1).find((other) => !other.startsWith('-'))
  if (second === undefined) {
    io.write(groupHelp(word))
    return argv.includes('--help') || argv.includes('-h') ? 0 : 1
  }
  const meant = { word: `${word} ${second}`, candidates: group }
  throw new CliError(`unknown command "${word} ${second}" for "pmk"`, { usage: true, meant })
}

function interruptedCode(signal: AbortSignal): number {
  return signal.reason instanceof Interrupted ? signal.reason.exitCode : 130
}
