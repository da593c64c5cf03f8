import { statSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { hasReason } from '../api/status.ts'
import type { Clock } from '../base/clock.ts'
import { isJsonObject } from '../base/json.ts'
import type { HttpClient } from '../client/http-client.ts'
import type { HttpTarget } from '../client/http-transport.ts'
import { CliError } from './cli-error.ts'
import type { Io } from './io.ts'
import type { ServerLocation } from './verb.ts'

export interface Connection {
  readonly client: HttpClient
  readonly target: HttpTarget
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
  readonly found: FoundAddress
  readonly io: Io
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly verbosity: number
}

/** Where a server would listen, and whether somebody named the place. */
export interface FoundAddress {
  readonly target: HttpTarget
  /** The flag or variable that named it; undefined for the usual place. */
  readonly namedBy?: '--server' | '--kubeconfig' | '--data-dir' | '$PMK_KUBECONFIG' | '$PMK_HOME'
  /** To work in where none is named; only a kubeconfig says it. */
  readonly namespace?: string
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

/**
 * Decides on one place and never on another: a named place without a server must not lead to somebody else's. Flags go before variables;
 * $KUBECONFIG is not looked at.
 */
export async function findServer(location: ServerLocation, io: Pick<Io, 'env' | 'cwd' | 'userId'>): Promise<FoundAddress> {
  const { server, kubeconfig, dataDir } = location
  const named = Object.entries({ '--server': server, '--kubeconfig': kubeconfig, '--data-dir': dataDir }).filter(
    ([, value]) => value !== undefined,
  )
  if (kubeconfig !== undefined && named.length > 1) {
    throw new CliError(`${named.map(([flag]) => flag).join(' and ')} name different servers: give one of them`, { usage: true })
  }
  const fromEnv = io.env.PMK_KUBECONFIG
  if (kubeconfig !== undefined) return inKubeconfig(kubeconfig, '--kubeconfig', location, io)
  if (server === undefined && dataDir === undefined && fromEnv) return inKubeconfig(fromEnv, '$PMK_KUBECONFIG', location, io)
  if (location.context !== undefined) throw new CliError('--context chooses from a kubeconfig: name one with --kubeconfig', { usage: true })
  if (server !== undefined && /^https:\/\//.test(server)) {
    const { withCredentials } = await import('./credentials.ts')
    return { target: withCredentials({ url: server }, location, io), namedBy: '--server' }
  }
  if (server !== undefined && /^http:\/\//.test(server)) {
    throw new CliError(`--server ${server}: a pmk server is reached by https:// or by its socket, never in clear`)
  }
  const given = location.token ?? location.tokenFile ?? location.certificateAuthority ?? location.clientCertificate ?? location.clientKey
  if (given !== undefined) {
    const { credentialFlagsIn } = await import('./credentials.ts')
    throw new CliError(`${credentialFlagsIn(location).join(', ')}: only for a server that --server https://… or a kubeconfig names`, {
      usage: true,
    })
  }
  if (server !== undefined) return { target: { socketPath: resolve(io.cwd, server.replace(/^unix:(\/\/)?/, '')) }, namedBy: '--server' }
  const target = { socketPath: join(dataDirOf(location, io), 'pmk.sock') }
  if (dataDir !== undefined) return { target, namedBy: '--data-dir' }
  return io.env.PMK_HOME ? { target, namedBy: '$PMK_HOME' } : { target }
}

async function inKubeconfig(
  file: string,
  namedBy: '--kubeconfig' | '$PMK_KUBECONFIG',
  location: ServerLocation,
  io: Pick<Io, 'env' | 'cwd'>,
): Promise<FoundAddress> {
  const [{ readKubeconfig }, { withCredentials }] = await Promise.all([import('./kubeconfig-file.ts'), import('./credentials.ts')])
  const { target, namespace } = await readKubeconfig(resolve(io.cwd, file), { context: location.context, namedBy })
  return { target: withCredentials(target, location, io), namedBy, ...(namespace !== undefined && { namespace }) }
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

async function open({ found, io, clock, signal, verbosity }: ConnectOptions, made: (client: HttpClient) => void): Promise<Connection> {
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
  return { client, target: found.target, address, version }
}

async function askVersion(client: HttpClient, signal: AbortSignal): Promise<VersionInfo> {
  const response = await client.request({ method: 'GET', path: '/version', signal })
  const answer: unknown = await response.json()
  const gitVersion = isJsonObject(answer) ? answer.gitVersion : undefined
  // An answer of another shape is another server's.
  return typeof gitVersion === 'string' ? { ...(answer as VersionInfo), gitVersion } : { gitVersion: '' }
}

const STRANGE = 'its certificate is not signed by the authority that you gave (--certificate-authority, or that of the kubeconfig)'

/** What is wrong with a server's certificate, by the codes of Node. */
const DISTRUSTED: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: STRANGE,
  UNABLE_TO_GET_ISSUER_CERT: STRANGE,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: STRANGE,
  SELF_SIGNED_CERT_IN_CHAIN: STRANGE,
  DEPTH_ZERO_SELF_SIGNED_CERT: STRANGE,
  CERT_SIGNATURE_FAILURE: STRANGE,
  CERT_HAS_EXPIRED: 'its certificate, or that of its authority, has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet: compare the clocks',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for other names (see --tls-san of `pmk server run`)',
}

function noServer(found: FoundAddress, address: string, cause?: unknown): CliError {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code
  if (code === 'EACCES' || code === 'EPERM') {
    return new CliError(`you may not connect to the server at ${address}: it belongs to another user`, { cause })
  }
  const mistrust = DISTRUSTED[code ?? '']
  if (mistrust !== undefined)
    return new CliError(`the server at ${address} is not the one that was meant: ${mistrust}; nothing was asked of it`, { cause })
  const why = found.namedBy === undefined ? '' : ` (named by ${found.namedBy})`
  const detail = cause instanceof Error && code !== 'ENOENT' && code !== 'ECONNREFUSED' ? `: ${cause.message}` : ''
  const flag = found.namedBy === '--data-dir' ? ` --data-dir ${dirname(address)}` : ''
  const remedy = 'url' in found.target ? '' : `\nStart one with: pmk server start${flag}`
  return new CliError(`no pmk server at ${address}${why}${detail}${remedy}`, { cause })
}
