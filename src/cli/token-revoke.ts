import { definitionOf } from '../api/scheme.ts'
import { tokenNameOf } from '../api/token-text.ts'
import { CliError } from './cli-error.ts'
import { allFlag, fieldSelectorFlag, selectorFlag } from './common-flags.ts'
import { onEach } from './each-target.ts'
import { chooseTargets } from './targets.ts'
import { defineVerb, type Verb } from './verb.ts'

const TOKENS = definitionOf('Token')

export const verb: Verb = defineVerb({
  usage: 'token revoke NAME… | token/NAME… | -l LABELS | --field-selector FIELDS | --all',
  description: 'Has tokens refused from now on, by deleting their Tokens. A token found somewhere has its name in it: pmk_NAME_….',
  examples: ['pmk token revoke ci', 'pmk token revoke --field-selector spec.user=anna'],
  flags: { ...selectorFlag, ...fieldSelectorFlag, ...allFlag },
  async run({ ctx, args, flags }) {
    const { selector, all } = flags
    const fieldSelector = flags['field-selector']
    // Who has the token itself at hand may well give that; it must get no further, for instance into an address.
    const names = args.map((word) => tokenNameOf(word) ?? word)
    const words = names.some((name) => name.includes('/')) ? names : [TOKENS.plural, ...names]
    const targets = await chooseTargets(ctx, { args: words, selector, fieldSelector, all })
    const other = targets.find(({ definition }) => definition !== TOKENS)
    if (other !== undefined) throw new CliError(`${other.definition.singular}/${other.ref.name} is no token`, { usage: true })
    const { client } = await ctx.connect()
    return onEach(ctx, targets, async ({ ref }, name) => {
      await client.for('Token').delete(ref, { signal: ctx.signal })
      return `${name} revoked`
    })
  },
})
