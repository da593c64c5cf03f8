import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { type Clock, epochOf, type Millis, timestampOf } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import { isSignedBy, type Pair, pairText, parsePair, type Validity, validityOf } from './pair.ts'
import { type PkiDir, readPkiFile, writePkiFile } from './pki-dir.ts'

const DAY: Millis = 86_400_000
const YEAR: Millis = 365 * DAY
const AUTHORITY_LIFE: Millis = 10 * YEAR
const LEAF_LIFE: Millis = YEAR
/** Of its life, when a certificate is made anew. */
const RENEWED_AFTER = 2 / 3
/** Certificates hold from a little before they are made: the clocks of clients differ. */
const BACKDATED: Millis = 3_600_000

export const ADMIN = { user: 'admin', groups: ['system:masters'] } as const

export interface PkiOptions {
  readonly dir: PkiDir
  readonly clock: Clock
  readonly log: Logger
  /** Host names and addresses by which clients call the server. */
  readonly names: () => readonly string[]
}

/** The certificates and keys of one server. What it gives is always whole, and as new as the last `refresh` left it. */
export interface Pki {
  /** What the server shows its clients. */
  readonly server: Pair
  /** The names in it. */
  readonly names: readonly string[]
  /** By which clients know the server. */
  readonly serverAuthority: string
  /** By which the server knows its clients. */
  readonly clientAuthority: string
  /** A client with all rights. */
  readonly admin: Pair
  /**
   * Makes anew what has to be: two thirds of its life are over, or the names have changed. True when something was. What
   * can't be written is thrown, and what there is stays in use.
   */
  refresh(): Promise<boolean>
  /** A certificate for the key and the name of a request (PKCS #10, PEM), for so long. Gives PEM; throws a sentence. */
  sign(request: string, life: Millis): Promise<string>
}

/**
 * Reads `pki/`, and makes what isn't there. A damaged certificate of the server or of its administrator is made anew and told;
 * a damaged authority is an Error, since a new one is a stranger to all clients.
 */
export async function openPki(options: PkiOptions): Promise<Pki> {
  const pki = new FilePki(options)
  await pki.refresh()
  return pki
}

type Part = 'server-ca' | 'server' | 'client-ca' | 'admin'

class FilePki implements Pki {
  readonly #dir: PkiDir
  readonly #clock: Clock
  readonly #log: Logger
  readonly #wantedNames: () => readonly string[]
  readonly #pairs = new Map<Part, Pair>()
  #names: readonly string[] = []

  constructor({ dir, clock, log, names }: PkiOptions) {
    this.#dir = dir
    this.#clock = clock
    this.#log = log
    this.#wantedNames = names
  }

  get server(): Pair {
    return this.#pair('server')
  }

  get names(): readonly string[] {
    return this.#names
  }

  get serverAuthority(): string {
    return this.#pair('server-ca').certificate
  }

  get clientAuthority(): string {
    return this.#pair('client-ca').certificate
  }

  get admin(): Pair {
    return this.#pair('admin')
  }

  async refresh(): Promise<boolean> {
    const names = [...new Set(this.#wantedNames())]
    const serverAuthority = await this.#authority('server-ca', ['server'])
    const server = await this.#leaf('server', serverAuthority, names, async (validity) =>
      (await maker()).issueServer(this.#pair('server-ca'), names, validity),
    )
    this.#names = names
    const clientAuthority = await this.#authority('client-ca', ['admin'])
    const admin = await this.#leaf('admin', clientAuthority, [], async (validity) =>
      (await maker()).issueClient(this.#pair('client-ca'), ADMIN, validity),
    )
    return serverAuthority || server || clientAuthority || admin
  }

  async sign(request: string, life: Millis): Promise<string> {
    const authority = this.#pair('client-ca')
    const validity = this.#validity(life)
    const { until } = validityOf(authority.certificate)
    if (validity.until > until) throw new Error(`the authority itself holds until ${timestampOf(until)} only: ask for less time`)
    return (await maker()).signRequest(authority, request, validity)
  }

  #pair(part: Part): Pair {
    const pair = this.#pairs.get(part)
    if (pair === undefined) throw new Error(`pki: ${part} was asked for before it was read`)
    return pair
  }

  /** True when it was made. `known` are the certificates that a former one has signed, if there was one. */
  async #authority(part: 'server-ca' | 'client-ca', known: readonly Part[]): Promise<boolean> {
    const held = this.#pairs.get(part) ?? (await this.#readAuthority(part, known))
    if (held !== undefined && !this.#isDue(held.certificate)) {
      this.#pairs.set(part, held)
      return false
    }
    // With its old key: what it signed stays valid.
    const made = await (await maker()).makeAuthority(`pmk ${part}`, this.#validity(AUTHORITY_LIFE), held?.key)
    await this.#keep(part, made)
    return true
  }

  async #readAuthority(part: Part, known: readonly Part[]): Promise<Pair | undefined> {
    const text = await readPkiFile(this.#dir, part, this.#log)
    const file = this.#dir.file(part)
    if (text === undefined) {
      const left = []
      for (const other of known) if ((await readPkiFile(this.#dir, other, this.#log)) !== undefined) left.push(other)
      if (left.length > 0)
        this.#log.warn({ file }, 'The certificate authority is gone and is made anew: kubeconfigs made so far are of no use any more')
      return undefined
    }
    try {
      const pair = parsePair(text)
      if (!new X509Certificate(pair.certificate).ca) throw new Error('its certificate is not that of an authority')
      return pair
    } catch (err) {
      const why = (err as Error).message
      const wayOut = 'Put it back from a copy; or remove it for a new one, and make all kubeconfigs anew'
      throw new Error(`The certificate authority ${file} can't be used: ${why}. ${wayOut}.`, { cause: err })
    }
  }

  /** True when it was made. */
  async #leaf(
    part: 'server' | 'admin',
    newAuthority: boolean,
    names: readonly string[],
    make: (validity: Validity) => Promise<Pair>,
  ): Promise<boolean> {
    const held = this.#pairs.get(part) ?? (await this.#readLeaf(part))
    const authority = this.#pair(part === 'server' ? 'server-ca' : 'client-ca').certificate
    const why = held === undefined ? 'there is none' : this.#flawOf(part, held.certificate, authority, names)
    if (held !== undefined && why === undefined && !newAuthority) {
      this.#pairs.set(part, held)
      return false
    }
    if (held !== undefined) this.#log.info({ part, why: why ?? 'its authority is new' }, 'A certificate is made anew')
    await this.#keep(part, await make(this.#validity(LEAF_LIFE)))
    return true
  }

  async #readLeaf(part: Part): Promise<Pair | undefined> {
    const text = await readPkiFile(this.#dir, part, this.#log)
    if (text === undefined) return undefined
    try {
      return parsePair(text)
    } catch (err) {
      this.#log.warn({ file: this.#dir.file(part), err }, 'A certificate is damaged and is made anew')
      return undefined
    }
  }

  #flawOf(part: Part, certificate: string, authority: string, names: readonly string[]): string | undefined {
    if (!isSignedBy(certificate, authority)) return 'it is of another authority'
    if (this.#isDue(certificate)) return 'its time is over, or soon will be'
    // Asked once: what one library writes and another doesn't find must not be written again every minute.
    if (part !== 'server' || isSame(names, this.#names)) return undefined
    const parsed = new X509Certificate(certificate)
    const missing = names.filter(
      (name) => (isIP(name) === 0 ? parsed.checkHost(name, { wildcards: false }) : parsed.checkIP(name)) === undefined,
    )
    const count = parsed.subjectAltName?.split(', ').length ?? 0
    return missing.length > 0 || count !== names.length ? 'the names of the server have changed' : undefined
  }

  #isDue(certificate: string): boolean {
    const { from, until } = validityOf(certificate)
    const now = epochOf(this.#clock.now())
    return now < from || now >= from + (until - from) * RENEWED_AFTER
  }

  #validity(life: Millis): Validity {
    const now = epochOf(this.#clock.now())
    return { from: now - BACKDATED, until: now + life }
  }

  async #keep(part: Part, pair: Pair): Promise<void> {
    await writePkiFile(this.#dir, part, pairText(pair))
    this.#pairs.set(part, pair)
  }
}

function isSame(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((name, index) => name === others[index])
}

const maker = (): Promise<typeof import('./certificates.ts')> => import('./certificates.ts')
