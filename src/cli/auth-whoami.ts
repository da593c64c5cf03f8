import { definitionOf } from '../api/scheme.ts'
import type { SelfSubjectReview } from '../generated/types.ts'
import { CliError } from './cli-error.ts'
import { asFlags, askReview } from './reviews.ts'
import { formatTable } from './table.ts'
import { defineVerb, type Verb } from './verb.ts'

export const verb: Verb = defineVerb({
  usage: 'auth whoami [flags]',
  description: 'Shows as whom the server knows you: your name and your groups.',
  examples: ['pmk auth whoami', 'pmk auth whoami -o yaml', 'pmk auth whoami --as anna --as-group developers'],
  flags: {
    output: { type: 'string', short: 'o', placeholder: 'FORMAT', help: 'json or yaml' },
    ...asFlags,
  },
  async run({ ctx, args, flags }) {
    const { output } = flags
    if (args.length > 0) throw new CliError('whoami takes no arguments', { usage: true })
    if (output !== undefined && output !== 'json' && output !== 'yaml') throw new CliError(`--output must be 'yaml' or 'json'`)
    const review = (await askReview(ctx, definitionOf('SelfSubjectReview'), undefined, flags)) as SelfSubjectReview
    if (output !== undefined) {
      const { formatObject } = await import('./printers.ts')
      ctx.io.write(await formatObject(review, output))
      return 0
    }
    const { username = '', groups = [] } = review.status?.userInfo ?? {}
    const rows = [
      ['Username', username],
      ['Groups', `[${groups.join(' ')}]`],
    ]
    ctx.io.write(formatTable(['Attribute', 'Value'], rows, { headers: true }))
    return 0
  },
})
