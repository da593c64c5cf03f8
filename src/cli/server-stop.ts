import { dataDirAt } from '../app/data-dir.ts'
import { stopServer } from '../app/server-control.ts'
import { dataDirOf } from './connect.ts'
import { defineVerb, type Verb } from './verb.ts'

export const verb: Verb = defineVerb({
  usage: 'server stop [flags]',
  description: 'Stops the server. The processes go on, and the next server takes them back; with --drain they are stopped first.',
  examples: ['pmk server stop', 'pmk server stop --drain'],
  flags: {
    drain: { type: 'boolean', help: 'Stop all processes first, in the order of their dependencies' },
    timeout: { type: 'duration', placeholder: 'DURATION', default: 120_000, help: 'How long to wait for its end' },
  },
  async run({ ctx, flags }) {
    const dir = dataDirAt(dataDirOf(ctx.location, ctx.io))
    const stopped = await stopServer(dir, { drain: flags.drain, timeout: flags.timeout, clock: ctx.clock, signal: ctx.signal })
    const rest = flags.drain ? 'The processes were stopped first.' : 'The processes run on.'
    ctx.io.write(stopped ? `Server stopped. ${rest}\n` : `No server runs on ${dir.path}.\n`)
    return 0
  },
})
