import { statSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { hasReason } from '../api/status.ts'
import type { Clock } from '../base/clock.ts'
import { isJsonObject } from '../base/json.ts'
import type { HttpClient } from '../client/http-client.ts'
import { CliError } from './cli-error.ts'
import type { Io } from './io.ts'
import type { ServerLocation } from './verb.ts'

export interface Connection {
  readonly client: HttpClient
  /** The server's address, for messages. */
  readonly address: string
  readonly version: VersionInfo
}

/** Of `/version`. */
export interface VersionInfo {
  readonly gitVersion: string
  readonly [field: string]: string
}

/** From this -v on each request is shown. */
const VERBOSE = 6

export interface ConnectOptions {
  readonly location: ServerLocation
  readonly io: Io
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly verbosity: number
}

/** Where a server would listen, and whether somebody named the place. */
export interface FoundAddress {
  readonly target: { readonly socketPath: string } | { readonly url: string }
  /** The flag or variable that named it; undefined for the usual place. */
  readonly namedBy?: '--server' | '--data-dir' | '$PMK_HOME'
}

/** The server's directory: --data-dir, else $PMK_HOME, else the usual place of this user. */
export function dataDirOf(location: ServerLocation, io: Pick<Io, 'env' | 'cwd' | 'userId'>): string {
  const home = io.env.PMK_HOME
  if (location.dataDir !== undefined) return resolve(io.cwd, location.dataDir)
  if (home !== undefined && home !== '') return resolve(io.cwd, home)
  if (io.userId === 0) return '/var/lib/pmk'
  const state = io.env.XDG_STATE_HOME
  return join(state?.startsWith('/') ? state : join(io.env.HOME ?? homedir(), '.local', 'state'), 'pmk')
}

/** Decides on one place and never on another: a named place without a server must not lead to somebody else's. */
export function findAddress(location: ServerLocation, io: Pick<Io, 'env' | 'cwd' | 'userId'>): FoundAddress {
  const { server } = location
  if (server !== undefined) {
    if (/^https?:\/\//.test(server)) return { target: { url: server }, namedBy: '--server' }
    return { target: { socketPath: resolve(io.cwd, server.replace(/^unix:(\/\/)?/, '')) }, namedBy: '--server' }
  }
  const target = { socketPath: join(dataDirOf(location, io), 'pmk.sock') }
  if (location.dataDir !== undefined) return { target, namedBy: '--data-dir' }
  return io.env.PMK_HOME ? { target, namedBy: '$PMK_HOME' } : { target }
}

/** One connection, opened when it is first asked for. */
export function connectOnce(options: ConnectOptions): { readonly open: () => Promise<Connection>; readonly close: () => Promise<void> } {
  let opened: Promise<Connection> | undefined
  let client: HttpClient | undefined
  return {
    open() {
      opened ??= open(options, (made) => {
        client = made
      })
      return opened
    },
    async close() {
      await client?.close()
    },
  }
}

async function open({ location, io, clock, signal, verbosity }: ConnectOptions, made: (client: HttpClient) => void): Promise<Connection> {
  const found = findAddress(location, io)
  const address = 'url' in found.target ? found.target.url : found.target.socketPath
  // The common case of no server needs no HTTP to be told.
  if ('socketPath' in found.target && statSync(address, { throwIfNoEntry: false }) === undefined) throw noServer(found, address)
  const { createHttpClient } = await import('../client/http-client.ts')
  const client = createHttpClient(found.target, {
    clock,
    onWarning: (text) => io.warn(`Warning: ${text}\n`),
    ...(verbosity >= VERBOSE && { onRequest: (method, path, code) => io.warn(`${clock.now()} ${method} ${path} ${code}\n`) }),
  })
  made(client)
  const version = await askVersion(client, signal).catch((err: unknown) => {
    if (signal.aborted || !hasReason(err, 'ServiceUnavailable')) throw err
    throw noServer(found, address, err.cause)
  })
  if (!/\+pmk\./.test(version.gitVersion)) throw new CliError(`the server at ${address} is not a pmk server; nothing was asked of it`)
  return { client, address, version }
}

async function askVersion(client: HttpClient, signal: AbortSignal): Promise<VersionInfo> {
  const response = await client.request({ method: 'GET', path: '/version', signal })
  const answer: unknown = await response.json()
  const gitVersion = isJsonObject(answer) ? answer.gitVersion : undefined
  // An answer of another shape is another server's.
  return typeof gitVersion === 'string' ? { ...(answer as VersionInfo), gitVersion } : { gitVersion: '' }
}

function noServer(found: FoundAddress, address: string, cause?: unknown): CliError {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code
  if (code === 'EACCES' || code === 'EPERM') {
    return new CliError(`you may not connect to the server at ${address}: it belongs to another user`, { cause })
  }
  const why = found.namedBy === undefined ? '' : ` (named by ${found.namedBy})`
  const detail = cause instanceof Error && code !== 'ENOENT' && code !== 'ECONNREFUSED' ? `: ${cause.message}` : ''
  const flag = found.namedBy === '--data-dir' ? ` --data-dir ${dirname(address)}` : ''
  const remedy = 'url' in found.target ? '' : `\nStart one with: pmk server start${flag}`
  return new CliError(`no pmk server at ${address}${why}${detail}${remedy}`, { cause })
}
