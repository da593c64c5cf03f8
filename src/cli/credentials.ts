import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import nodeProcess from 'node:process'
import type { HttpTarget } from '../client/http-transport.ts'
import { CliError } from './cli-error.ts'
import type { Io } from './io.ts'
import type { ServerLocation } from './verb.ts'

type UrlTarget = Extract<HttpTarget, { readonly url: string }>

/** Puts the credentials of flags, and of $PMK_TOKEN where the address came from a flag, over those that the target has. */
export function withCredentials(target: UrlTarget, location: ServerLocation, io: Pick<Io, 'env' | 'cwd'>): UrlTarget {
  const { certificateAuthority, clientCertificate, clientKey } = location
  if (location.token !== undefined && location.tokenFile !== undefined)
    throw new CliError('give either --token or --token-file', { usage: true })
  const inFile = location.tokenFile === undefined ? undefined : read(location.tokenFile, '--token-file', io.cwd).trim()
  const token = location.token ?? inFile ?? (location.server === undefined ? undefined : io.env.PMK_TOKEN)
  if ((clientCertificate === undefined) !== (clientKey === undefined)) {
    throw new CliError('--client-certificate and --client-key go together', { usage: true })
  }
  const all = {
    ...target,
    ...(token !== undefined && token !== '' && { token: checkedToken(token) }),
    ...(certificateAuthority !== undefined && { ca: read(certificateAuthority, '--certificate-authority', io.cwd) }),
    ...(clientCertificate !== undefined && { certificate: read(clientCertificate, '--client-certificate', io.cwd) }),
    ...(clientKey !== undefined && { key: read(clientKey, '--client-key', io.cwd) }),
  }
  refuseBroken(all)
  return all
}

/** Names of the flags that mean something only for a server that is reached by a URL. */
export function credentialFlagsIn(location: ServerLocation): readonly string[] {
  return [
    ...(location.token === undefined ? [] : ['--token']),
    ...(location.tokenFile === undefined ? [] : ['--token-file']),
    ...(location.certificateAuthority === undefined ? [] : ['--certificate-authority']),
    ...(location.clientCertificate === undefined ? [] : ['--client-certificate']),
    ...(location.clientKey === undefined ? [] : ['--client-key']),
  ]
}

/** Node would say it in OpenSSL's words, and only in the middle of the first request. */
function refuseBroken({ ca, certificate, key }: UrlTarget): void {
  const { createSecureContext } = nodeProcess.getBuiltinModule('node:tls')
  const check = (what: string, context: { readonly ca?: string; readonly cert?: string; readonly key?: string }): void => {
    try {
      createSecureContext(context)
    } catch (err) {
      // Nothing of a key belongs into a message.
      throw new CliError(`${what} can't be used: it is damaged, or no PEM`, { cause: err })
    }
  }
  if (ca !== undefined) {
    check('the certificate of the authority', { ca })
    if (!ca.includes('-----BEGIN CERTIFICATE-----')) throw new CliError('the certificate of the authority is no PEM')
  }
  if (certificate !== undefined) check('the client certificate', { cert: certificate })
  if (certificate !== undefined && key !== undefined) check('the client certificate with its key', { cert: certificate, key })
}

function checkedToken(token: string): string {
  if (!/^[\x21-\x7e]+$/.test(token)) throw new CliError('the token holds characters that no token has')
  return token
}

function read(file: string, flag: string, cwd: string): string {
  try {
    return readFileSync(resolve(cwd, file), 'utf8')
  } catch (err) {
    throw new CliError(`${flag}: ${(err as Error).message}`, { cause: err })
  }
}
