import nodeProcess from 'node:process'
import { dataDirAt } from '../app/data-dir.ts'
import { type FollowedDirectory, leftOver, notFollowed } from '../app/followed-directories.ts'
import { refuseUnsupportedHost } from '../app/host-check.ts'
import { startServer, tlsState } from '../app/server-control.ts'
import { createHttpClient } from '../client/http-client.ts'
import { CliError } from './cli-error.ts'
import { dataDirOf } from './connect.ts'
import { followedDirectories, manifestsWords } from './manifests-flag.ts'
import { serverFlags } from './server-run.ts'
import { defineVerb, type Verb } from './verb.ts'

export const verb: Verb = defineVerb({
  usage: 'server start [flags]',
  description: 'Starts the server in the background and returns once it is ready. Nothing happens when it runs already.',
  examples: ['pmk server start', 'PMK_HOME=~/try pmk server start', 'pmk server start --manifests ~/manifests'],
  flags: {
    ...serverFlags,
    timeout: { type: 'duration', placeholder: 'DURATION', default: 60_000, help: 'How long to wait for it' },
  },
  async run({ ctx, args, flags, given }) {
    if (args.length > 0) throw new CliError(`server start takes no arguments, got ${args.join(' ')}`, { usage: true })
    refuseUnsupportedHost()
    const dir = dataDirAt(dataDirOf(ctx.location, ctx.io))
    const manifests = followedDirectories(flags.manifests, ctx.io.cwd)
    const passedOn = Object.keys(serverFlags).filter((name) => given.has(name) && name !== 'manifests')
    const { record, started, warning } = await startServer(dir, {
      args: [
        ...passedOn.flatMap((name) => [flags[name as keyof typeof serverFlags]].flat().map((value) => `--${name}=${value}`)),
        ...manifestsWords(manifests),
      ],
      main: nodeProcess.argv[1] ?? '',
      timeout: flags.timeout,
      clock: ctx.clock,
      signal: ctx.signal,
    })
    ctx.io.write(`Server ${started ? 'started' : 'runs already'}: pid ${record.pid}, data in ${dir.path}\n`)
    const tls = await tlsState(dir, ctx.signal)
    if (tls !== undefined && 'problem' in tls) ctx.io.warn(`warning: ${tls.problem}\n`)
    if (warning !== undefined) ctx.io.warn(`warning: ${warning}\n`)
    for (const text of await sourceWarnings(dir.socket, manifests, started, ctx.signal)) ctx.io.warn(`warning: ${text}\n`)
    return 0
  },
})

/** Where what is followed is not what the command line says. */
async function sourceWarnings(
  socketPath: string,
  manifests: readonly FollowedDirectory[],
  started: boolean,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const client = createHttpClient({ socketPath })
  try {
    const missing = await notFollowed(client, manifests, signal)
    const why = started ? 'there is a ManifestSource of its name for another place' : 'the server runs already; stop it first'
    const others = started ? await leftOver(client, manifests, signal) : []
    return [
      ...missing.map(({ path }) => `--manifests ${path} is not followed: ${why}`),
      ...others.map(
        ({ metadata: { name }, spec }) =>
          `${spec.path} is followed as before, although --manifests does not name it any more; to end that: pmk delete source/${name}`,
      ),
    ]
  } finally {
    await client.close()
  }
}
