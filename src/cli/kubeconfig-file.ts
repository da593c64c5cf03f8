import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { isJsonObject, type JsonObject } from '../base/json.ts'
import type { HttpTarget } from '../client/http-transport.ts'
import { CliError } from './cli-error.ts'

type UrlTarget = Extract<HttpTarget, { readonly url: string }>

/** What a context of a kubeconfig says: the server with the credentials for it, and the namespace to work in. */
export interface KubeconfigContext {
  readonly target: UrlTarget
  readonly namespace?: string
}

/** Fields that would change who is asked, or who asks, if they were passed over. */
const UNSUPPORTED_CLUSTER = ['insecure-skip-tls-verify', 'tls-server-name', 'proxy-url'] as const
const UNSUPPORTED_USER = ['exec', 'auth-provider', 'username', 'password', 'as', 'as-uid', 'as-groups', 'as-user-extra'] as const

/**
 * Reads one context of a kubeconfig, the current one where none is named. `namedBy` is the flag or variable that named the file.
 * What isn't supported is a CliError, not overlooked.
 */
export async function readKubeconfig(
  file: string,
  { context, namedBy }: { readonly context?: string | undefined; readonly namedBy: string },
): Promise<KubeconfigContext> {
  const fail = (why: string): CliError => new CliError(`kubeconfig ${file} (named by ${namedBy}): ${why}`)
  const config = await parse(readText(file, fail), fail)
  const name = context ?? textOf(config['current-context'])
  if (name === undefined || name === '') throw fail('it has no current-context; choose one with --context')
  const chosen = entryOf(config, 'contexts', 'context', name, fail)
  const cluster = entryOf(config, 'clusters', 'cluster', textOf(chosen.cluster) ?? '', fail)
  const userName = textOf(chosen.user) ?? ''
  const user = userName === '' ? {} : entryOf(config, 'users', 'user', userName, fail)
  for (const field of UNSUPPORTED_CLUSTER) if (cluster[field]) throw fail(`its cluster has \`${field}\`, which pmk does not support`)
  for (const field of UNSUPPORTED_USER) {
    if (user[field]) throw fail(`its user has \`${field}\`, which pmk does not support: use a token or a client certificate`)
  }
  const url = textOf(cluster.server) ?? ''
  if (!/^https:\/\//.test(url)) throw fail(`the server ${JSON.stringify(url)} of its cluster is no https:// address`)
  const place = dirname(file)
  const data = (from: JsonObject, field: string): string | undefined => {
    const inline = textOf(from[`${field}-data`])
    if (inline !== undefined && inline !== '') return Buffer.from(inline, 'base64').toString('utf8')
    const path = textOf(from[field])
    return path === undefined || path === '' ? undefined : readText(resolve(place, path), fail)
  }
  const tokenFile = textOf(user.tokenFile)
  const token = textOf(user.token) ?? (tokenFile === undefined ? undefined : readText(resolve(place, tokenFile), fail).trim())
  const [ca, certificate, key] = [data(cluster, 'certificate-authority'), data(user, 'client-certificate'), data(user, 'client-key')]
  const namespace = textOf(chosen.namespace)
  return {
    target: {
      url,
      ...(ca !== undefined && { ca }),
      ...(token !== undefined && token !== '' && { token }),
      ...(certificate !== undefined && { certificate }),
      ...(key !== undefined && { key }),
    },
    ...(namespace !== undefined && namespace !== '' && { namespace }),
  }
}

function readText(file: string, fail: (why: string) => CliError): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (err) {
    throw fail((err as Error).message)
  }
}

async function parse(text: string, fail: (why: string) => CliError): Promise<JsonObject> {
  const { parseYaml } = await import('../base/yaml.ts')
  let value: unknown
  try {
    value = parseYaml(text)[0]?.value
  } catch (err) {
    throw fail((err as Error).message)
  }
  if (!isJsonObject(value)) throw fail('it is no kubeconfig')
  return value
}

function entryOf(config: JsonObject, list: string, field: string, name: string, fail: (why: string) => CliError): JsonObject {
  const entries = config[list]
  const found = Array.isArray(entries) ? entries.find((entry) => isJsonObject(entry) && entry.name === name) : undefined
  const value = isJsonObject(found) ? found[field] : undefined
  if (!isJsonObject(value)) throw fail(`it has no ${field} called ${JSON.stringify(name)}`)
  return value
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
