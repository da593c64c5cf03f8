import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import nodeProcess from 'node:process'
import { nodeFlags } from '../app/node-flags.ts'
import { detectInit, type InitSystem, installService, type Service, serviceFor, uninstallService } from '../app/service.ts'
import { CliError } from './cli-error.ts'
import { dataDirOf } from './connect.ts'
import { followedDirectories, manifestsWords } from './manifests-flag.ts'
import { serverFlags } from './server-run.ts'
import { type Context, defineVerb, type Verb } from './verb.ts'

const flags = {
  init: { type: 'string', placeholder: 'systemd|sysv', help: 'Which init to install for (default: the one that runs)' },
} as const

export const installVerb: Verb = defineVerb({
  usage: 'server install [flags]',
  description:
    'Has the server started at boot and whenever it ends: as a systemd unit, of the system for root and of your own session manager\nfor others, or as an init script where there is no systemd.',
  examples: ['pmk server install', 'pmk server install --print', 'pmk server install --manifests /etc/pmk/manifests'],
  flags: { ...flags, manifests: serverFlags.manifests, print: { type: 'boolean', help: 'Only print the file that would be written' } },
  async run({ ctx, flags }) {
    const service = serviceOf(ctx, flags.init, manifestsWords(followedDirectories(flags.manifests, ctx.io.cwd)))
    if (flags.print) {
      ctx.io.write(service.text)
      return 0
    }
    await installService(service)
    ctx.io.write(`Installed ${service.file}: the server starts at boot.\n`)
    return 0
  },
})

export const uninstallVerb: Verb = defineVerb({
  usage: 'server uninstall',
  description: 'Takes back what `server install` did. A server that runs goes on.',
  examples: ['pmk server uninstall'],
  flags,
  async run({ ctx, flags }) {
    const service = serviceOf(ctx, flags.init)
    const done = await uninstallService(service)
    ctx.io.write(done ? `Removed ${service.file}. A server that runs goes on.\n` : `Not installed: there is no ${service.file}.\n`)
    return 0
  },
})

function serviceOf(ctx: Context, init: string | undefined, args: readonly string[] = []): Service {
  if (init !== undefined && init !== 'systemd' && init !== 'sysv') throw new CliError('--init must be systemd or sysv', { usage: true })
  const chosen: InitSystem = init ?? detectInit()
  return serviceFor(chosen, {
    command: [nodeProcess.execPath, ...nodeFlags, resolve(ctx.io.cwd, nodeProcess.argv[1] ?? 'pmk')],
    dataDir: dataDirOf(ctx.location, ctx.io),
    args,
    user: ctx.io.userId !== 0,
    configHome: ctx.io.env.XDG_CONFIG_HOME || join(homedir(), '.config'),
  })
}
