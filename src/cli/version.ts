import { version } from '../base/version.ts'
import { CliError } from './cli-error.ts'
import { defineVerb, type Verb } from './verb.ts'

export const verb: Verb = defineVerb({
  usage: 'version [flags]',
  description: 'Shows the version of this command and of the server.',
  examples: ['pmk version', 'pmk version --client', 'pmk version -o json'],
  flags: {
    client: { type: 'boolean', help: 'Only the version of this command; asks no server' },
    output: { type: 'string', short: 'o', placeholder: 'FORMAT', help: 'json or yaml' },
  },
  async run({ ctx, flags }) {
    const { output } = flags
    if (output !== undefined && output !== 'json' && output !== 'yaml') throw new CliError(`--output must be 'yaml' or 'json'`)
    const server = flags.client ? undefined : (await ctx.connect()).version
    if (output === undefined) {
      ctx.io.write(`Client Version: v${version}\n`)
      if (server !== undefined)
        ctx.io.write(`Server Version: ${server.gitVersion.replace(/^.*\+pmk\./, 'v')} (Kubernetes API ${server.gitVersion})\n`)
      return 0
    }
    const all = { clientVersion: { gitVersion: `v${version}` }, ...(server !== undefined && { serverVersion: server }) }
    const { formatObject } = await import('./printers.ts')
    ctx.io.write(await formatObject(all, output))
    return 0
  },
})
