import { dataDirAt } from '../app/data-dir.ts'
import { serverState, tlsState } from '../app/server-control.ts'
import { dataDirOf } from './connect.ts'
import { defineVerb, type Verb } from './verb.ts'

/** LSB: the program is not running. */
const NOT_RUNNING = 3

const TROUBLES = { starting: 'not ready', unwritable: 'but refuses writes' } as const

export const verb: Verb = defineVerb({
  usage: 'server status',
  description: 'Says whether the server runs and is ready. Exit code 0: ready; 1: running, but not ready or unable to write; 3: stopped.',
  examples: ['pmk server status'],
  flags: {},
  async run({ ctx }) {
    const dir = dataDirAt(dataDirOf(ctx.location, ctx.io))
    const found = await serverState(dir, ctx.signal)
    if (found.state === 'stopped') {
      ctx.io.write(`stopped (data in ${dir.path})\n`)
      return NOT_RUNNING
    }
    const detail = found.state === 'ready' ? 'ready' : `running, ${TROUBLES[found.state]}: ${found.reason}`
    ctx.io.write(`${detail} (pid ${found.record.pid}, version ${found.record.version}, data in ${dir.path})\n`)
    const tls = await tlsState(dir, ctx.signal)
    if (tls !== undefined) ctx.io.write('server' in tls ? `TLS at ${tls.server}\n` : `no TLS: ${tls.problem}\n`)
    return found.state === 'ready' ? 0 : 1
  },
})
