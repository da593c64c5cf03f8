import { randomBytes, randomInt } from 'node:crypto'
import { definitionOf } from '../api/scheme.ts'
import { hashOfToken, SECRET_BYTES, tokenText } from '../api/token-text.ts'
import { type Clock, epochOf, type Millis, timestampOf, wholeSeconds } from '../base/clock.ts'
import { CliError } from './cli-error.ts'
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
    'pmk token create watcher --user watcher --ttl 0 --description "the dashboard in the hall"',
  ],
  flags: {
    user: { type: 'string', placeholder: 'USER', help: 'Who its bearer is; required' },
    group: { type: 'strings', placeholder: 'GROUP', help: 'A group that its bearer belongs to; may be given again' },
    ttl: { type: 'duration', default: DEFAULT_TTL, help: 'How long it is accepted, such as 12h or 30d (default 90d); 0: for ever' },
    description: { type: 'string', help: 'What it is for' },
  },
  async run({ ctx, args, flags }) {
    const { user, group: groups, ttl, description } = flags
    const [name = user === undefined ? '' : madeUpName(user), ...more] = args
    if (more.length > 0) throw new CliError(`a token has one name, got "${[name, ...more].join(' ')}"`, { usage: true })
    if (user === undefined || user === '') throw new CliError('required flag(s) "user" not set', { usage: true })
    if (ttl < 0) throw new CliError('--ttl must be at least 0', { usage: true })
    const { client } = await ctx.connect()
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
    ctx.io.write(`${token}\n`)
    return 0
  },
})

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
