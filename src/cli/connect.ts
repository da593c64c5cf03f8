import { statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Clock } from '../base/clock.ts'
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

export interface ConnectOptions {
  readonly location: ServerLocation
  readonly io: Io
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly verbosity: number
}

/** Where a server would listen, and whether somebody named the place. */
export interface FoundAddress {
  readonly socketPath: string
  /** The flag or variable that named it; undefined for the usual place. */
  readonly namedBy?: '--server' | '--data-dir' | '$PMK_HOME'
}

/** The server's directory: --data-dir, else $PMK_HOME, else the usual place of this user. */
export function dataDirOf(location: ServerLocation, io: Pick<Io, 'env' | 'cwd' | 'userId'>): string {
  const home = io.env['PMK_HOME']
  if (location.dataDir !== undefined) return resolve(io.cwd, location.dataDir)
  if (home !== undefined && home !== '') return resolve(io.cwd, home)
  if (io.userId === 0) return '/var/lib/pmk'
  const state = io.env['XDG_STATE_HOME']
  return join(state !== undefined && state.startsWith('/') ? state : join(io.env['HOME'] ?? homedir(), '.local', 'state'), 'pmk')
}

/** Decides on one place and never on another: a named place without a server must not lead to somebody else's. */
export function findAddress(location: ServerLocation, io: Pick<Io, 'env' | 'cwd' | 'userId'>): FoundAddress {
  const { server } = location
  if (server !== undefined) {
    if (/^https?:\/\//.test(server)) {
      throw new CliError(`--server ${server}: only sockets are supported, such as --server /var/lib/pmk/pmk.sock`)
    }
    return { socketPath: resolve(io.cwd, server.replace(/^unix:(\/\/)?/, '')), namedBy: '--server' }
  }
  const socketPath = join(dataDirOf(location, io), 'pmk.sock')
  if (location.dataDir !== undefined) return { socketPath, namedBy: '--data-dir' }
  if (io.env['PMK_HOME']) return { socketPath, namedBy: '$PMK_HOME' }
  return { socketPath }
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

async function open(options: ConnectOptions, made: (client: HttpClient) => void): Promise<Connection> {
  const { location, io, signal } = options
  const found = findAddress(location, io)
  if (statSync(found.socketPath, { throwIfNoEntry: false }) === undefined) throw noServer(found)
  const { createHttpClient } = await import('../client/http-client.ts')
  const client = createHttpClient({ socketPath: found.socketPath, userAgent: 'pmk', ...requestLog(options) })
  made(client)
  let version: VersionInfo
  try {
    const response = await client.request({ method: 'GET', path: '/version', signal })
    version = response.body as VersionInfo
  } catch (err) {
    if (signal.aborted) throw err
    throw noServer(found, err)
  }
  if (!/\+pmk\./.test(version?.gitVersion ?? '')) {
    throw new CliError(`the server at ${found.socketPath} is not a pmk server: nothing was sent to it`)
  }
  return { client, address: found.socketPath, version }
}

function requestLog({ io, clock, verbosity }: ConnectOptions): object {
  if (verbosity < 6) return {}
  return { onRequest: (method: string, path: string, code: number) => io.warn(`${clock.now()} ${method} ${path} ${code}\n`) }
}

function noServer(found: FoundAddress, cause?: unknown): CliError {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code
  if (code === 'EACCES') {
    return new CliError(`you may not connect to the server at ${found.socketPath}: it belongs to another user`, { cause })
  }
  const why = found.namedBy === undefined ? '' : ` (named by ${found.namedBy})`
  const flag = found.namedBy === '--data-dir' ? ` --data-dir ${found.socketPath.replace(/\/pmk\.sock$/, '')}` : ''
  return new CliError(`no pmk server at ${found.socketPath}${why}\nStart one with: pmk server start${flag}`, { cause })
}
