import nodeProcess from 'node:process'
import { dataDirAt } from '../app/data-dir.ts'
import { refuseUnsupportedHost } from '../app/host-check.ts'
import { startServer, tlsState } from '../app/server-control.ts'
import { CliError } from './cli-error.ts'
import { dataDirOf } from './connect.ts'
import { serverFlags } from './server-run.ts'
import { defineVerb, type Verb } from './verb.ts'

export const verb: Verb = defineVerb({
  usage: 'server start [flags]',
  description: 'Starts the server in the background and returns once it is ready. Nothing happens when it runs already.',
  examples: ['pmk server start', 'PMK_HOME=~/try pmk server start'],
  flags: {
    ...serverFlags,
    timeout: { type: 'duration', placeholder: 'DURATION', default: 60_000, help: 'How long to wait for it' },
  },
  async run({ ctx, args, flags, given }) {
    if (args.length > 0) throw new CliError(`server start takes no arguments, got ${args.join(' ')}`, { usage: true })
    refuseUnsupportedHost()
    const dir = dataDirAt(dataDirOf(ctx.location, ctx.io))
    const passedOn = Object.keys(serverFlags).filter((name) => given.has(name))
    const { record, started, warning } = await startServer(dir, {
      args: passedOn.flatMap((name) => [flags[name as keyof typeof serverFlags]].flat().map((value) => `--${name}=${value}`)),
      main: nodeProcess.argv[1] ?? '',
      timeout: flags.timeout,
      clock: ctx.clock,
      signal: ctx.signal,
    })
    ctx.io.write(`Server ${started ? 'started' : 'runs already'}: pid ${record.pid}, data in ${dir.path}\n`)
    const tls = await tlsState(dir, ctx.signal)
    if (tls !== undefined && 'problem' in tls) ctx.io.warn(`warning: ${tls.problem}\n`)
    if (warning !== undefined) ctx.io.warn(`warning: ${warning}\n`)
    return 0
  },
})
