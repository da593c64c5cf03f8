import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { findByName } from '../api/scheme.ts'
import { hasReason } from '../api/status.ts'
import { CliError } from './cli-error.ts'
import { selectorFlag } from './common-flags.ts'
import { parseOutput } from './output.ts'
import { type Context, defineVerb, type Verb } from './verb.ts'

/** Flags that mean something for a directory only. */
const FOR_DIRECTORY = ['name', 'prune', 'watch', 'dry-run', 'partial'] as const

export const verb: Verb = defineVerb({
  usage: 'sync NAME… | source/NAME… | -l LABELS | --all | DIR [flags]',
  description:
    'Has ManifestSources looked at and applied now, without waiting for their interval, and tells what came of it. Exit code 1 when one of\nthem is not Ready afterwards.\nOf a directory (./manifests) it applies the manifests from here, once or with --watch after each change, without a ManifestSource: all are\nchecked first, then applied in order, and with --prune what an earlier sync applied and no file names any more is removed.',
  examples: [
    'pmk sync web',
    'pmk sync --all --timeout=1m',
    'pmk sync web --confirm-prune',
    'pmk sync ./manifests --prune --wait',
    'pmk sync ./manifests --dry-run',
    'pmk sync . --watch',
  ],
  flags: {
    ...selectorFlag,
    all: { type: 'boolean', help: 'All ManifestSources of the namespace' },
    name: { type: 'string', placeholder: 'NAME', help: 'Of DIR: what its objects are labelled with (default: the name of DIR)' },
    prune: { type: 'boolean', help: 'Of DIR: remove what it applied earlier and names no more' },
    watch: { type: 'boolean', short: 'w', help: 'Of DIR: again after each change, until Ctrl-C' },
    partial: { type: 'boolean', help: 'Of DIR: apply what is in order although something else is not' },
    'dry-run': { type: 'string', placeholder: 'server', default: 'none', optional: 'server', help: 'Of DIR: only say what would be done' },
    'confirm-prune': { type: 'boolean', help: 'Carry out a removal of everything; shows what would go, and asks' },
    yes: { type: 'boolean', short: 'y', help: 'Do not ask' },
    output: { type: 'string', short: 'o', placeholder: 'FORMAT', help: 'json, yaml, name, …; of DIR only name' },
    wait: {
      type: 'boolean',
      default: true,
      help: 'Wait until it is handled (default); of DIR: until its Processes are healthy (default false)',
    },
    timeout: { type: 'duration', placeholder: 'TIME', default: 300_000, help: 'How long it may take (default 5m); 0: as long as it takes' },
  },
  async run({ ctx, args, flags, given }) {
    const { selector, all, yes, wait, timeout, output } = flags
    const confirmPrune = flags['confirm-prune']
    const directory = await directoryIn(ctx, args, all || selector !== undefined)
    if (directory === undefined) {
      const foreign = FOR_DIRECTORY.find((name) => given.has(name))
      if (foreign !== undefined) throw new CliError(`--${foreign} is for a directory, and no directory was named`, { usage: true })
      const format = await parseOutput(output)
      const { requestSync } = await import('./sync-request.ts')
      return await requestSync(ctx, { args, selector, all, confirmPrune, yes, wait, timeout, format })
    }
    if (output !== undefined && output !== 'name')
      throw new CliError(`unable to match a printer suitable for the output format "${output}", of a directory only name is`)
    const { name, prune, partial, watch } = flags
    const dryRun = flags['dry-run']
    if (dryRun !== 'none' && dryRun !== 'server')
      throw new CliError(`--dry-run=${dryRun}: what would change is known to the server only: --dry-run=server`, { usage: true })
    if (confirmPrune && !prune) throw new CliError('--confirm-prune needs --prune', { usage: true })
    if (watch && confirmPrune) throw new CliError('--watch never removes everything: --confirm-prune is for a single sync', { usage: true })
    const { syncDirectory } = await import('./sync-directory.ts')
    // Whoever wants to wait for health says so here; a source says it in its spec.
    const options = {
      directory,
      name,
      prune,
      confirmPrune,
      yes,
      partial,
      watch,
      timeout,
      dryRun: dryRun === 'server',
      namesOnly: output === 'name',
    }
    return await syncDirectory(ctx, { ...options, wait: given.has('wait') && wait })
  },
})

/** The directory that is meant; undefined when sources are. A word that may be both is refused. */
async function directoryIn(ctx: Context, args: readonly string[], isSelection: boolean): Promise<string | undefined> {
  const [first = ''] = args
  const isKindFirst = (args.length > 1 || isSelection) && isKind(first)
  const found = await Promise.all(args.map((arg, at) => (isKindFirst && at === 0 ? false : isPlace(ctx, arg, isKindFirst || isSelection))))
  const at = found.indexOf(true)
  if (at < 0) return undefined
  if (args.length > 1 || isSelection) throw new CliError(`${args[at]} is a directory, and those are synced one at a time`, { usage: true })
  return args[at]
}

/** Whether a word means a directory. */
async function isPlace(ctx: Context, arg: string, isName: boolean): Promise<boolean> {
  const [kind = '', name = '', ...more] = arg.split('/')
  const isThere = await isDirectory(resolve(ctx.io.cwd, arg))
  if (isKind(kind) && name !== '' && more.length === 0) {
    if (isThere) throw new CliError(`${arg} is a directory here, and names a ManifestSource: write ./${arg} or ${name}`, { usage: true })
    return false
  }
  if (arg.includes('/') || arg === '.' || arg === '..') return true
  if (isName || (!isThere && !arg.includes('.'))) return false
  const isBoth = await isSource(ctx, arg)
  if (isThere && isBoth)
    throw new CliError(`${arg} is a directory here and a ManifestSource on the server: write ./${arg} or source/${arg}`, { usage: true })
  return !isBoth
}

function isKind(word: string): boolean {
  return findByName(word)?.kind === 'ManifestSource'
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch {
    return false
  }
}

async function isSource(ctx: Context, name: string): Promise<boolean> {
  const { client } = await ctx.connect()
  try {
    await client.for('ManifestSource').get({ name, namespace: ctx.namespace }, { signal: ctx.signal })
    return true
  } catch (err) {
    if (hasReason(err, 'NotFound') || hasReason(err, 'Forbidden')) return false
    throw err
  }
}
