import { readFile, rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { apiError } from '../api/status.ts'
import type { ApiServer } from '../apiserver/server.ts'
import type { TlsAuthority, TlsEndpoint } from '../apiserver/tls-routes.ts'
import { exponential } from '../base/backoff.ts'
import type { Clock, Millis } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import { kubeconfigOf, kubeconfigText } from '../pki/kubeconfig.ts'
import { openPki, type Pki } from '../pki/pki.ts'
import { pkiDirAt, writeSecretFile } from '../pki/pki-dir.ts'

/** How often it is looked whether certificates have to be renewed. */
const LOOK: Millis = 60_000
/** When what failed is tried again: each attempt at a port that another program has costs as much as opening it. */
const RETRY = exponential({ initial: 10_000, factor: 2, max: LOOK, jitter: 0 })

export interface TlsPortOptions {
  readonly api: Pick<ApiServer, 'listenSecurely' | 'useCredentials'>
  readonly clock: Clock
  readonly log: Logger
  /** The address to listen on; names of it, further ones, and the port: 0 for any free one, -1 for none. */
  readonly bind: string
  readonly port: number
  readonly names: readonly string[]
  /** The directory of keys and certificates. */
  readonly pki: string
  /** What is written for who may read the data directory. */
  readonly kubeconfig: string
}

/** Addresses that stand for all of the host's. */
const WILDCARDS = new Set(['0.0.0.0', '::', ''])

/**
 * The server's TLS port: opened, its certificates kept fresh, and its kubeconfig in step with them. Whatever goes wrong here is told and tried
 * again, and stops nothing else: programs are supervised also while no client can connect.
 */
export class TlsPort implements TlsAuthority {
  readonly #options: TlsPortOptions
  #pki: Pki | undefined
  #port: number | undefined
  #problem: string | undefined
  #failures = 0
  #isClosed = false
  #cancel: () => void = () => {}
  #looking: Promise<void> = Promise.resolve()

  constructor(options: TlsPortOptions) {
    this.#options = options
  }

  /** Resolves when the port is open, or when it is known why not. Never fails. */
  async open(): Promise<void> {
    this.#looking = this.#look()
    await this.#looking
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancel()
    await this.#looking
  }

  endpoint(): TlsEndpoint {
    if (this.#port !== undefined && this.#pki !== undefined) {
      return { server: this.#url(this.#port), certificateAuthority: this.#pki.serverAuthority }
    }
    if (this.#options.port === -1) throw apiError('NotFound', 'the server was started with --port=-1: it has no TLS port')
    throw apiError('ServiceUnavailable', `the server has no TLS port: ${this.#problem ?? 'it is being opened'}`)
  }

  async sign(request: string, ttlSeconds: number): Promise<string> {
    if (this.#pki === undefined) throw apiError('ServiceUnavailable', 'the server has no certificate authority')
    return this.#pki.sign(request, ttlSeconds * 1_000)
  }

  async #look(): Promise<void> {
    const { log, clock, port } = this.#options
    if (port === -1) {
      await this.#removeKubeconfig()
      return
    }
    try {
      await this.#bringUp()
      if (this.#problem !== undefined) log.info({}, 'TLS is in order again')
      this.#problem = undefined
      this.#failures = 0
    } catch (err) {
      const problem = this.#wordsFor(err as NodeJS.ErrnoException)
      // Once for each reason: it is tried again and again.
      if (problem !== this.#problem) log.error({ err }, `TLS: ${problem}`)
      this.#problem = problem
      this.#failures += 1
    }
    if (this.#isClosed) return
    this.#cancel = clock.schedule(this.#failures === 0 ? LOOK : RETRY(this.#failures), () => {
      this.#looking = this.#look()
    })
  }

  async #bringUp(): Promise<void> {
    const { api, bind, port, log, clock } = this.#options
    const names = (): readonly string[] => this.#names()
    const isNew = this.#pki === undefined
    this.#pki ??= await openPki({ dir: pkiDirAt(this.#options.pki), clock, log, names })
    const pki = this.#pki
    const changed = isNew || (await pki.refresh())
    const credentials = { ...pki.server, clientAuthority: pki.clientAuthority, names: pki.names }
    if (this.#port === undefined) {
      if (this.#isClosed) return
      this.#port = await api.listenSecurely({ host: bind, port, credentials })
      log.info({ url: this.#url(this.#port) }, 'Server is listening with TLS')
    } else if (changed) {
      api.useCredentials(credentials)
    }
    await this.#writeKubeconfig(pki, this.#port)
  }

  /** The host's own name, and what people said, beside the addresses of this machine to itself. */
  #names(): readonly string[] {
    const { bind, names } = this.#options
    const own = WILDCARDS.has(bind) ? [] : [bind]
    // What a kernel takes for a host name need not be one that a certificate can hold.
    const host = /^[A-Za-z0-9.-]{1,253}$/.test(hostname()) ? [hostname()] : []
    return ['127.0.0.1', '::1', 'localhost', ...[...host, ...own, ...names].map((name) => name.toLowerCase())]
  }

  #url(port: number): string {
    const { bind } = this.#options
    const host = WILDCARDS.has(bind) ? '127.0.0.1' : bind
    return `https://${host.includes(':') ? `[${host}]` : host}:${port}`
  }

  async #writeKubeconfig({ admin, serverAuthority }: Pki, port: number): Promise<void> {
    const { certificate, key } = admin
    const config = kubeconfigOf({
      name: 'pmk',
      user: 'pmk-admin',
      server: this.#url(port),
      certificateAuthority: serverAuthority,
      certificate,
      key,
    })
    const text = kubeconfigText(config)
    const before = await readFile(this.#options.kubeconfig, 'utf8').catch(() => {
      // Whatever kept it from being read: it is written anew.
      return undefined
    })
    if (before !== text) await writeSecretFile(this.#options.kubeconfig, text)
  }

  /** One that leads nowhere would be taken for the way. */
  async #removeKubeconfig(): Promise<void> {
    await rm(this.#options.kubeconfig, { force: true }).catch((err: unknown) => this.#options.log.warn({ err }, 'An old kubeconfig stays'))
  }

  #wordsFor(err: NodeJS.ErrnoException): string {
    const { bind, port } = this.#options
    if (err.code === 'EADDRINUSE')
      return `port ${port} of ${bind} is in use by another program. Choose another with --port, or --port=-1 for none`
    if (err.code === 'EADDRNOTAVAIL' || err.code === 'ENOTFOUND') return `${bind} is no address of this host: see --bind`
    if (err.code === 'EACCES' && err.syscall === 'listen')
      return `this user may not listen on port ${port}: choose one from 1024 on with --port`
    return err.message
  }
}
