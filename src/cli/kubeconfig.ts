import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { hasReason } from '../api/status.ts'
import { isJsonObject } from '../base/json.ts'
import { type Kubeconfig, kubeconfigOf } from '../pki/kubeconfig.ts'
import { CliError } from './cli-error.ts'
import type { Connection } from './connect.ts'
import type { Io } from './io.ts'
import { type Context, defineVerb, type Verb } from './verb.ts'

const DAY = 86_400_000

/** What the server says of its TLS port. */
interface Endpoint {
  readonly server: string
  readonly certificateAuthority: string
}

export const verb: Verb = defineVerb({
  usage: 'kubeconfig [--merge [FILE]] [flags]',
  description:
    "Prints what kubectl and other Kubernetes clients need to reach this server: its address, its authority and a client certificate.\nWithout --user it is the administrator's, with all rights. With --user a new key is made here, which the server never sees.",
  examples: [
    'pmk kubeconfig > pmk.kubeconfig',
    'pmk kubeconfig --merge && kubectl --context pmk get processes',
    'pmk kubeconfig --user jane --group developers --ttl 30d > jane.kubeconfig',
  ],
  flags: {
    user: { type: 'string', placeholder: 'NAME', help: 'A certificate for this user instead of the administrator' },
    group: { type: 'strings', placeholder: 'NAME', help: 'A group that the user belongs to; may be given again' },
    ttl: { type: 'duration', placeholder: 'DURATION', default: 90 * DAY, help: 'How long the certificate for --user holds (default 90d)' },
    name: { type: 'string', placeholder: 'NAME', default: 'pmk', help: 'What the server is called in the kubeconfig (default pmk)' },
    merge: {
      type: 'string',
      placeholder: 'FILE',
      optional: '',
      help: "Put it into this kubeconfig, else into $KUBECONFIG's first file, else into ~/.kube/config; the rest of it stays",
    },
  },
  async run({ ctx, args, flags, given }) {
    const merges = given.has('merge')
    const [named, ...more] = args
    if (more.length > 0 || (named !== undefined && (!merges || flags.merge !== ''))) {
      throw new CliError(`kubeconfig takes no arguments, got ${args.join(' ')}`, { usage: true })
    }
    const { user, group: groups, ttl, name } = flags
    if (user === undefined && (groups.length > 0 || given.has('ttl'))) throw new CliError('--group and --ttl need --user', { usage: true })
    if (ttl < 1_000) throw new CliError('--ttl must be a second or more', { usage: true })
    const connection = await ctx.connect()
    const config =
      user === undefined ? await administrators(connection, name, ctx) : await usersOwn(connection, { user, groups, ttl, name }, ctx)
    if (!merges) {
      const { stringifyYaml } = await import('../base/yaml.ts')
      ctx.io.write(stringifyYaml(config))
      return 0
    }
    const file = mergeTarget(flags.merge || named, ctx.io)
    const { mergeKubeconfig } = await import('./kubeconfig-merge.ts')
    const { changed, backup } = await mergeKubeconfig(file, config)
    if (!changed) {
      ctx.io.write(`${file} unchanged\n`)
      return 0
    }
    if (backup !== undefined) ctx.io.warn(`What was in ${file} is in ${backup} now.\n`)
    ctx.io.write(`${file} configured: kubectl --context ${config['current-context']} get processes\n`)
    return 0
  },
})

/** From the file that the server keeps beside its socket: whoever may open the one may read the other. */
async function administrators({ client, target }: Connection, name: string, { signal }: Context): Promise<Kubeconfig> {
  if (!('socketPath' in target)) {
    throw new CliError("the administrator's kubeconfig is given on the server's own host only; for a certificate of your own: --user NAME")
  }
  const endpoint = await asked(client.request({ method: 'GET', path: '/pmk/v1/tls', signal }))
  const file = join(dirname(target.socketPath), 'kubeconfig')
  try {
    const { users } = JSON.parse(readFileSync(file, 'utf8')) as Kubeconfig
    const user = users[0]?.user
    if (!isJsonObject(user)) throw new Error('it has no user')
    const pem = (field: string): string => Buffer.from(String(user[field] ?? ''), 'base64').toString('utf8')
    return kubeconfigOf({
      name,
      user: `${name}-admin`,
      ...endpoint,
      certificate: pem('client-certificate-data'),
      key: pem('client-key-data'),
    })
  } catch (err) {
    throw new CliError(`the server's ${file} can't be used: ${(err as Error).message}. The server writes it anew within a minute`, {
      cause: err,
    })
  }
}

/** Only the request for a certificate travels, not the key. */
async function usersOwn(
  { client, target }: Connection,
  wanted: { readonly user: string; readonly groups: readonly string[]; readonly ttl: number; readonly name: string },
  { signal }: Context,
): Promise<Kubeconfig> {
  const { user, groups, ttl, name } = wanted
  const { parseRequest, requestClient } = await import('../pki/certificates.ts')
  const { request, key } = await requestClient({ user, groups })
  await parseRequest(request).catch((err: Error) => {
    throw new CliError(err.message, { cause: err })
  })
  const body = JSON.stringify({ request, ttlSeconds: Math.floor(ttl / 1_000) })
  const headers = { 'content-type': 'application/json' }
  const { certificate, ...endpoint } = await asked<Endpoint & { readonly certificate: string }>(
    client.request({ method: 'POST', path: '/pmk/v1/clientcertificates', body, headers, signal }),
  )
  // Who came by another name than the server's own will come by it again.
  const server = 'url' in target ? target.url : endpoint.server
  return kubeconfigOf({ ...endpoint, server, name, context: `${user}@${name}`, user: `${name}-${user}`, certificate, key })
}

async function asked<T = Endpoint>(answer: ReturnType<Connection['client']['request']>): Promise<T> {
  try {
    return (await (await answer).json()) as T
  } catch (err) {
    if (hasReason(err, 'NotFound') || hasReason(err, 'ServiceUnavailable') || hasReason(err, 'BadRequest')) {
      throw new CliError(err.message, { cause: err })
    }
    throw err
  }
}

function mergeTarget(named: string | undefined, { env, cwd }: Io): string {
  if (named) return resolve(cwd, named)
  const first = (env.KUBECONFIG ?? '').split(':').find((file) => file !== '')
  return first === undefined ? join(env.HOME ?? homedir(), '.kube', 'config') : resolve(cwd, first)
}
