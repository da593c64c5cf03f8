// Loaded only where a certificate is made: it takes longer to load than everything else about TLS takes to run.
import 'reflect-metadata'
import { createPrivateKey, createPublicKey, KeyObject, randomBytes, webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonNameParams,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  Pkcs10CertificateRequest,
  Pkcs10CertificateRequestGenerator,
  type PublicKey,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'
import { dateOf } from '../base/clock.ts'
import type { Pair, Validity } from './pair.ts'

type CryptoKey = webcrypto.CryptoKey
type CryptoKeyPair = webcrypto.CryptoKeyPair

/** Who a client certificate is for: its common name and its organisations (RFC 5280), as Kubernetes reads them. */
export interface ClientName {
  readonly user: string
  readonly groups: readonly string[]
}

/** All keys of ours: fast, short, and known to every client. */
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const { subtle } = webcrypto
/** As in a Token. */
const NAME = /^\P{C}{1,253}$/u

/** A certificate authority that signs itself. With `key` it goes on with an old one, and what that signed stays valid. */
export async function makeAuthority(commonName: string, validity: Validity, key?: string): Promise<Pair> {
  const keys = key === undefined ? await newKeys() : await keysOf(key)
  const name = new Name([{ CN: [commonName] }])
  const certificate = await generate({
    subject: name,
    issuer: name,
    validity,
    publicKey: keys.publicKey,
    signingKey: keys.privateKey,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey, false),
    ],
  })
  return { certificate, key: pemOf(keys.privateKey) }
}

/** A certificate for a server that is reached under these host names and addresses. */
export async function issueServer(authority: Pair, names: readonly string[], validity: Validity): Promise<Pair> {
  const keys = await newKeys()
  const alternatives = names.map((name) => ({ type: isIP(name) === 0 ? ('dns' as const) : ('ip' as const), value: name }))
  const certificate = await issue(authority, {
    subject: [{ CN: ['pmk'] }],
    publicKey: keys.publicKey,
    validity,
    usage: ExtendedKeyUsage.serverAuth,
    more: [new SubjectAlternativeNameExtension(alternatives)],
  })
  return { certificate, key: pemOf(keys.privateKey) }
}

/** A certificate by which a client is known. */
export async function issueClient(authority: Pair, client: ClientName, validity: Validity): Promise<Pair> {
  const keys = await newKeys()
  const certificate = await issueFor(authority, client, keys.publicKey, validity)
  return { certificate, key: pemOf(keys.privateKey) }
}

/** A new key and the request (PKCS #10) for a certificate of it, as PEM. */
export async function requestClient(client: ClientName): Promise<{ readonly request: string; readonly key: string }> {
  const keys = await newKeys()
  const request = await Pkcs10CertificateRequestGenerator.create({ name: new Name(subjectOf(client)), keys, signingAlgorithm: ALGORITHM })
  return { request: request.toString('pem'), key: pemOf(keys.privateKey) }
}

/** What a request asks for. Throws a sentence when it is none, or when who made it doesn't hold the key. */
export async function parseRequest(request: string): Promise<ClientName> {
  const parsed = await checkedRequest(request)
  const [user, ...others] = parsed.subjectName.getField('CN')
  if (user === undefined || others.length > 0) throw new Error('it must have one common name, that of the user')
  const groups = parsed.subjectName.getField('O')
  const bad = [user, ...groups].find((name) => !NAME.test(name))
  if (bad !== undefined)
    throw new Error('the name of the user and of each group must have 1 to 253 characters, none of them a control character')
  return { user, groups }
}

/** A certificate for the key of a request, and for nobody else than the request names. Gives PEM. */
export async function signRequest(authority: Pair, request: string, validity: Validity): Promise<string> {
  const parsed = await checkedRequest(request)
  return issueFor(authority, await parseRequest(request), parsed.publicKey, validity)
}

async function checkedRequest(request: string): Promise<Pkcs10CertificateRequest> {
  let parsed: Pkcs10CertificateRequest
  let isOwn: boolean
  try {
    parsed = new Pkcs10CertificateRequest(request)
    isOwn = await parsed.verify()
  } catch (err) {
    throw new Error('it is no certificate request of a kind that is known here (PEM of PKCS #10, best with a key on P-256)', { cause: err })
  }
  if (!isOwn) throw new Error('its signature is not of its key')
  return parsed
}

function issueFor(authority: Pair, client: ClientName, publicKey: CryptoKey | PublicKey, validity: Validity): Promise<string> {
  return issue(authority, { subject: subjectOf(client), publicKey, validity, usage: ExtendedKeyUsage.clientAuth, more: [] })
}

/** As objects: the library reads quotes and `#` of plain strings as another notation. */
function subjectOf({ user, groups }: ClientName): JsonNameParams {
  return [{ CN: [{ utf8String: user }] }, ...groups.map((group) => ({ O: [{ utf8String: group }] }))]
}

interface Wanted {
  readonly subject: JsonNameParams
  readonly publicKey: CryptoKey | PublicKey
  readonly validity: Validity
  readonly usage: ExtendedKeyUsage
  readonly more: readonly Extension[]
}

async function issue(authority: Pair, { subject, publicKey, validity, usage, more }: Wanted): Promise<string> {
  const signer = new X509Certificate(authority.certificate)
  const { privateKey } = await keysOf(authority.key)
  return generate({
    subject: new Name(subject),
    issuer: signer.subjectName,
    validity,
    publicKey,
    signingKey: privateKey,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([usage]),
      await AuthorityKeyIdentifierExtension.create(signer, false),
      await SubjectKeyIdentifierExtension.create(publicKey, false),
      ...more,
    ],
  })
}

async function generate(wanted: {
  readonly subject: Name
  readonly issuer: Name
  readonly validity: Validity
  readonly publicKey: CryptoKey | PublicKey
  readonly signingKey: CryptoKey
  readonly extensions: readonly Extension[]
}): Promise<string> {
  const { subject, issuer, validity, publicKey, signingKey, extensions } = wanted
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject,
    issuer,
    notBefore: dateOf(validity.from),
    notAfter: dateOf(validity.until),
    publicKey,
    signingKey,
    signingAlgorithm: ALGORITHM,
    extensions: [...extensions],
  })
  return `${certificate.toString('pem').trim()}\n`
}

async function newKeys(): Promise<CryptoKeyPair> {
  return subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
}

async function keysOf(pem: string): Promise<CryptoKeyPair> {
  try {
    const [pkcs8, spki] = [
      createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' }),
      createPublicKey(pem).export({ type: 'spki', format: 'der' }),
    ]
    return {
      privateKey: await subtle.importKey('pkcs8', pkcs8, ALGORITHM, true, ['sign']),
      publicKey: await subtle.importKey('spki', spki, ALGORITHM, true, ['verify']),
    }
  } catch (err) {
    throw new Error('the key of the authority is not an ECDSA key on P-256', { cause: err })
  }
}

function pemOf(key: CryptoKey): string {
  return String(KeyObject.from(key).export({ type: 'pkcs8', format: 'pem' }))
}

/** 127 random bits: positive, never zero, and as long as the format allows to be unguessable (RFC 5280, 4.1.2.2). */
function serialNumber(): string {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return bytes.toString('hex')
}
