import { randomBytes, randomInt } from 'node:crypto'
import { definitionOf } from '../api/scheme.ts'
import { hasReason } from '../api/status.ts'
import { hashOfToken, SECRET_BYTES, tokenText } from '../api/token-text.ts'
import { type Clock, epochOf, type Millis, timestampOf, wholeSeconds } from '../base/clock.ts'
import { CliError } from './cli-error.ts'
import type { Connection } from './connect.ts'
import { printedName } from './resources.ts'
import { defineVerb, type Verb } from './verb.ts'

const DEFAULT_TTL: Millis = 90 * 24 * 3_600_000
const MAX_NAME_FROM_USER = 50

export const verb: Verb = defineVerb({
  usage: 'token create [NAME] --user USER [--group GROUP]… [flags]',
  description:
    'Makes a bearer token and prints it: the only time that it is shown. The server gets its hash alone. Without NAME one is made up from the user. Who creates a token needs the right to impersonate its user and its groups.',
  examples: [
    'pmk token create --user anna > token && chmod 600 token',
    'pmk token create ci --user ci --group deployers --ttl 30d',
    'pmk token create --user anna --group developers -o kubeconfig > anna.kubeconfig',
    'pmk token create watcher --user watcher --ttl 0 --description "the dashboard in the hall"',
  ],
  flags: {
    user: { type: 'string', placeholder: 'USER', help: 'Who its bearer is; required' },
    group: { type: 'strings', placeholder: 'GROUP', help: 'A group that its bearer belongs to; may be given again' },
    ttl: { type: 'duration', default: DEFAULT_TTL, help: 'How long it is accepted, such as 12h or 30d (default 90d); 0: for ever' },
    description: { type: 'string', help: 'What it is for' },
    output: { type: 'string', short: 'o', placeholder: 'kubeconfig', help: 'kubeconfig: print one for kubectl, with the token in it' },
  },
  async run({ ctx, args, flags }) {
    const { user, group: groups, ttl, description, output } = flags
    const [name = user === undefined ? '' : madeUpName(user), ...more] = args
    if (more.length > 0) throw new CliError(`a token has one name, got "${[name, ...more].join(' ')}"`, { usage: true })
    if (user === undefined || user === '') throw new CliError('required flag(s) "user" not set', { usage: true })
    if (ttl < 0) throw new CliError('--ttl must be at least 0', { usage: true })
    if (output !== undefined && output !== 'kubeconfig')
      throw new CliError(`unexpected -o output mode: ${output}; only '-o kubeconfig' is supported`)
    const connection = await ctx.connect()
    const { client } = connection
    // Before there is a token that nobody would get to see.
    const endpoint = output === undefined ? undefined : await endpointOf(connection, ctx.signal)
    const token = tokenText(name, randomBytes(SECRET_BYTES))
    const { metadata, spec } = await client.for('Token').create(
      {
        apiVersion: 'pmk.dev/v1',
        kind: 'Token',
        metadata: { name },
        spec: {
          user,
          hash: hashOfToken(token),
          ...(groups.length > 0 && { groups }),
          ...(ttl > 0 && { expiresAt: expiry(ctx.clock, ttl) }),
          ...(description !== undefined && { description }),
        },
      },
      { fieldManager: 'pmk-token', signal: ctx.signal },
    )
    // Beside the token, which alone goes to standard output.
    const end = spec.expiresAt === undefined ? 'never expires' : `expires at ${spec.expiresAt}`
    ctx.io.warn(`${printedName(definitionOf('Token'), metadata.name)} created; it ${end}\n`)
    ctx.io.write(endpoint === undefined ? `${token}\n` : await kubeconfigText(endpoint, user, token))
    return 0
  },
})

interface Endpoint {
  readonly server: string
  readonly certificateAuthority: string
}

/** Where clients with a token find the server. Who came by a name of its own will come by it again. */
async function endpointOf({ client, address }: Connection, signal: AbortSignal): Promise<Endpoint> {
  try {
    // The server's own answer, of this shape.
    const endpoint = (await (await client.request({ method: 'GET', path: '/pmk/v1/tls', signal })).json()) as Endpoint
    return address.startsWith('https://') ? { ...endpoint, server: address } : endpoint
  } catch (err) {
    if (!hasReason(err, 'NotFound') && !hasReason(err, 'ServiceUnavailable')) throw err
    throw new CliError(`there is nothing to put into a kubeconfig: ${err.message}`, { cause: err })
  }
}

async function kubeconfigText(endpoint: Endpoint, user: string, token: string): Promise<string> {
  const [{ kubeconfigOf }, { stringifyYaml }] = await Promise.all([import('../pki/kubeconfig.ts'), import('../base/yaml.ts')])
  return stringifyYaml(kubeconfigOf({ ...endpoint, name: 'pmk', context: `${user}@pmk`, user: `pmk-${user}`, token }))
}

function expiry(clock: Clock, ttl: Millis): string {
  const at = epochOf(clock.now()) + ttl
  const MAX_YEAR_9999 = 253_402_300_799_000
  if (at > MAX_YEAR_9999) throw new CliError('--ttl is too long; 0 stands for ever', { usage: true })
  return wholeSeconds(timestampOf(at))
}

/** `anna-x7k2p`: the user as far as that makes a name, and something that tells tokens of one user apart. */
function madeUpName(user: string): string {
  const word = user
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, MAX_NAME_FROM_USER)
    .replaceAll(/^-+|-+$/g, '')
  // Without vowels and what is taken for something else, as in the names that servers make up.
  const letters = 'bcdfghjklmnpqrstvwxz2456789'
  const suffix = Array.from({ length: 5 }, () => letters[randomInt(letters.length)]).join('')
  return `${word === '' ? 'token' : word}-${suffix}`
}
