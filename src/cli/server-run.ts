import { isIP } from 'node:net'
import { hostname } from 'node:os'
import nodeProcess from 'node:process'
import { refuseUnsupportedHost } from '../app/host-check.ts'
import type { LogLevel } from '../base/log.ts'
import { parseQuantity } from '../base/quantity.ts'
import { CliError } from './cli-error.ts'
import { dataDirOf } from './connect.ts'
import { followedDirectories } from './manifests-flag.ts'
import { defineVerb, type Verb } from './verb.ts'

const MIN_AUDIT_LOG = 64 * 1024

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent']

/** Flags of `server run` that `server start` passes on. */
export const serverFlags = {
  'node-name': { type: 'string', placeholder: 'NAME', help: 'Name of this host as a Node (default: its host name)' },
  'log-level': { type: 'string', placeholder: 'LEVEL', default: 'info', help: 'debug, info, warn, error or silent' },
  'on-exit': { type: 'string', placeholder: 'keep|stop', default: 'keep', help: 'What becomes of the processes when the server ends' },
  'new-store': { type: 'boolean', help: 'Begin with an empty store also where one has gone: stops the Instances it had' },
  'audit-log-size': {
    type: 'string',
    placeholder: 'SIZE',
    default: '64Mi',
    help: 'Room for the log of writes by clients; 0: none is kept',
  },
  manifests: {
    type: 'strings',
    placeholder: '[NAME=]DIR',
    help: 'Keep the manifests of this directory applied, by a ManifestSource of its name; may be given again',
  },
  bind: { type: 'string', placeholder: 'ADDRESS', default: '127.0.0.1', help: 'Address for Kubernetes clients' },
  port: { type: 'integer', placeholder: 'PORT', default: 6446, help: 'TCP port for Kubernetes clients; 0: any free one, -1: none' },
  'tls-san': {
    type: 'strings',
    placeholder: 'NAME',
    help: 'A further host name or address by which clients call this server; may be given again',
  },
} as const

export const verb: Verb = defineVerb({
  usage: 'server run [flags]',
  description:
    'Runs the server in the foreground: API, controllers and agent. When it ends the processes go on; the next server takes them back.\nTERM and Ctrl-C end it; USR2 stops the processes first, and TERM then gives that up.',
  examples: ['pmk server run', 'pmk server run --data-dir /srv/pmk --log-level debug', 'pmk server run --manifests /etc/pmk/manifests'],
  flags: serverFlags,
  handlesSignals: true,
  async run({ ctx, args, flags }) {
    if (args.length > 0) throw new CliError(`server run takes no arguments, got ${args.join(' ')}`, { usage: true })
    const logLevel = LEVELS.find((level) => level === flags['log-level'])
    if (logLevel === undefined) throw new CliError(`--log-level must be one of ${LEVELS.join(', ')}`, { usage: true })
    const onExit = flags['on-exit']
    if (onExit !== 'keep' && onExit !== 'stop') throw new CliError('--on-exit must be keep or stop', { usage: true })
    const auditLogSize = parseQuantity(flags['audit-log-size'])
    if (auditLogSize === undefined || (auditLogSize !== 0 && auditLogSize < MIN_AUDIT_LOG))
      throw new CliError('--audit-log-size must be 0, or a size of at least 64Ki', { usage: true })
    if (flags.port < -1 || flags.port > 65_535) throw new CliError('--port must be between 0 and 65535, or -1 for none', { usage: true })
    const tlsNames = flags['tls-san']
    const badName = tlsNames.find((name) => isIP(name) === 0 && !/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i.test(name))
    if (badName !== undefined) throw new CliError(`--tls-san must be a host name or an address, not "${badName}"`, { usage: true })
    const manifests = followedDirectories(flags.manifests, ctx.io.cwd)
    refuseUnsupportedHost()
    const { runBelowReaper } = await import('../app/reaper.ts')
    const code = await runBelowReaper()
    if (code !== undefined) return code

    const stop = new AbortController()
    const giveUpDrain = new AbortController()
    const onDrain = (): void => stop.abort({ drain: true })
    const onTerm = (): void => (stop.signal.aborted ? giveUpDrain.abort() : stop.abort({ drain: false }))
    nodeProcess.on('SIGUSR2', onDrain)
    ctx.signal.addEventListener('abort', onTerm, { once: true })
    // A closed terminal must not end a server that somebody left running in it.
    nodeProcess.on('SIGHUP', () => {})
    // Nor one whose log has no room any more.
    nodeProcess.stderr.on('error', () => {})
    const { runServer } = await import('../app/all-in-one.ts')
    const nodeName = (flags['node-name'] ?? hostname()).toLowerCase()
    const readableLog = nodeProcess.stderr.isTTY === true
    const newStore = flags['new-store']
    const { bind, port } = flags
    const dataDir = dataDirOf(ctx.location, ctx.io)
    const options = { dataDir, nodeName, logLevel, readableLog, onExit, newStore, auditLogSize, bind, port, tlsNames, manifests } as const
    await runServer(options, stop.signal, giveUpDrain.signal)
    return 0
  },
})
