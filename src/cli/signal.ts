import { plainSignalName, SIGNALS, signalNumberOf } from '../base/signals.ts'
import { CliError } from './cli-error.ts'
import { onEach, targetFlags, targetsOf } from './each-target.ts'
import { requestOnce } from './request-each.ts'
import { defineVerb, type Verb } from './verb.ts'

export const verb: Verb = defineVerb({
  usage: 'signal NAME… | KIND/NAME… | -l LABELS | --all | -f FILE SIGNAL',
  description:
    'Sends a signal, once, to the main process of an Instance, or of each Instance of a Process. What it then does is treated as its own doing: a program that ends is started again.',
  examples: ['pmk signal web HUP', 'pmk signal web-0 USR1', 'pmk signal -l app=shop SIGUSR2'],
  flags: targetFlags,
  async run({ ctx, args, flags }) {
    const text = args.at(-1)
    const names = args.slice(0, -1)
    if (text === undefined || (names.length === 0 && !isSelection(flags))) {
      throw new CliError('you must say which, and the signal: pmk signal NAME HUP', { usage: true })
    }
    const signal = await checkedSignal(text)
    const targets = await targetsOf(ctx, names, flags)
    const { client } = await ctx.connect()
    return onEach(ctx, targets, async (target, name) => {
      await requestOnce(ctx, client, target, name, { subresource: 'signal', body: { signal }, word: 'signalled' })
      return `${name} signalled (${signal})`
    })
  },
})

/** Whether flags say what is meant, so that words need not. */
export function isSelection(flags: {
  readonly selector: string | undefined
  readonly all: boolean
  readonly filename: readonly string[]
}): boolean {
  return flags.all || flags.selector !== undefined || flags.filename.length > 0
}

async function checkedSignal(text: string): Promise<string> {
  const plain = plainSignalName(text)
  if (signalNumberOf(plain) !== undefined) return plain
  const byNumber = Object.entries(SIGNALS).find(([, number]) => String(number) === text)
  if (byNumber !== undefined) return byNumber[0]
  const { suggest } = await import('./suggest.ts')
  const meant = suggest(plain, Object.keys(SIGNALS))
  throw new CliError(`there is no signal "${text}"${meant === undefined ? '' : `; did you mean ${meant}?`}`, { usage: true })
}
