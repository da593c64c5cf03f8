import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { epochOf, type Millis } from '../base/clock.ts'

/** A certificate and its private key, each as PEM. */
export interface Pair {
  readonly certificate: string
  readonly key: string
}

/** When a certificate holds, in milliseconds since 1970. */
export interface Validity {
  readonly from: Millis
  readonly until: Millis
}

/** Both in one file, so that one is never there without the other. */
export function pairText({ certificate, key }: Pair): string {
  return `${certificate.trim()}\n${key.trim()}\n`
}

/** Reads what `pairText` wrote. Throws a sentence when it isn't a certificate with its own key. */
export function parsePair(text: string): Pair {
  const certificate = blockOf(text, 'CERTIFICATE')
  const key = blockOf(text, '(?:EC |RSA )?PRIVATE KEY')
  if (certificate === undefined) throw new Error('it holds no certificate')
  if (key === undefined) throw new Error('it holds no private key')
  let parsed: X509Certificate
  let privateKey: KeyObject
  try {
    parsed = new X509Certificate(certificate)
    privateKey = createPrivateKey(key)
  } catch (err) {
    // OpenSSL's words are of no help, and those about a key shouldn't be passed on.
    throw new Error('its certificate or its key is damaged', { cause: err })
  }
  if (!parsed.checkPrivateKey(privateKey)) throw new Error('its key is not the key of its certificate')
  return { certificate, key }
}

export function validityOf(certificate: string): Validity {
  const { validFrom, validTo } = new X509Certificate(certificate)
  return { from: epochOf(validFrom), until: epochOf(validTo) }
}

/** Whether `authority` signed it. Says nothing of time. */
export function isSignedBy(certificate: string, authority: string): boolean {
  const signer = new X509Certificate(authority)
  const signed = new X509Certificate(certificate)
  return signed.checkIssued(signer) && signed.verify(signer.publicKey)
}

function blockOf(text: string, label: string): string | undefined {
  return new RegExp(`-----BEGIN ${label}-----\\r?\\n[A-Za-z0-9+/=\\s]+-----END ${label}-----\\r?\\n?`).exec(text)?.[0]
}
