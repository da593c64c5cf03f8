import { selectorFlag } from './common-flags.ts'
import { parseOutput } from './output.ts'
import { requestSync } from './sync-request.ts'
import { defineVerb, type Verb } from './verb.ts'
import { waitFlags } from './wait-settled.ts'

export const verb: Verb = defineVerb({
  usage: 'sync NAME… | source/NAME… | -l LABELS | --all [flags]',
  description:
    'Has ManifestSources looked at and applied now, without waiting for their interval, and tells what came of it. Exit code 1 when one of\nthem is not Ready afterwards.',
  examples: ['pmk sync web', 'pmk sync --all --timeout=1m', 'pmk sync web --confirm-prune'],
  flags: {
    ...selectorFlag,
    all: { type: 'boolean', help: 'All ManifestSources of the namespace' },
    'confirm-prune': { type: 'boolean', help: 'Carry out a removal that waits for this; shows what would go, and asks' },
    yes: { type: 'boolean', short: 'y', help: 'Do not ask' },
    output: {
      type: 'string',
      short: 'o',
      placeholder: 'FORMAT',
      help: 'json, yaml, name, jsonpath=TEMPLATE, custom-columns=HEADER:PATH,…',
    },
    ...waitFlags(true),
  },
  async run({ ctx, args, flags }) {
    const format = await parseOutput(flags.output)
    const { selector, all, yes, wait, timeout } = flags
    return await requestSync(ctx, { args, selector, all, confirmPrune: flags['confirm-prune'], yes, wait, timeout, format })
  },
})
