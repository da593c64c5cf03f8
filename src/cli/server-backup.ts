import { once } from 'node:events'
import { resolve } from 'node:path'
import nodeProcess from 'node:process'
import { type BackupSummary, offlineBackup, passOn, writeBackupFile } from '../app/backup.ts'
import { dataDirAt } from '../app/data-dir.ts'
import { runningServer } from '../app/server-file.ts'
import { CliError } from './cli-error.ts'
import { dataDirOf } from './connect.ts'
import { type Context, defineVerb, type Verb } from './verb.ts'

export const verb: Verb = defineVerb({
  usage: 'server backup FILE',
  description:
    "Writes everything that the server holds to a file, as it is at one moment; the server goes on meanwhile. Without a running server the store is read directly.\nFILE is replaced only by a whole backup. It holds the Secrets in clear and is readable by its owner only. `-` is standard output. Processes' output is not part of it.",
  examples: ['pmk server backup /var/backups/pmk.gz', 'pmk server backup - | ssh backup-host "cat >pmk.gz"'],
  flags: {},
  async run({ ctx, args }) {
    const [file, ...more] = args
    if (file === undefined || more.length > 0) throw new CliError('server backup takes one file, or -', { usage: true })
    if (file === '-') {
      if (ctx.io.outputIsTerminal) throw new CliError('a backup is nothing for a terminal: name a file, or send it on', { usage: true })
      ctx.io.warn(`${sentence(await passOn(await source(ctx), toStandardOutput))}\n`)
      return 0
    }
    const path = resolve(ctx.io.cwd, file)
    ctx.io.write(`${sentence(await writeBackupFile(path, await source(ctx)))} to ${path}\n`)
    return 0
  },
})

/** From the server that runs, or from what the last one left. */
async function source(ctx: Context): Promise<AsyncIterable<Uint8Array>> {
  const dir = dataDirAt(dataDirOf(ctx.location, ctx.io))
  if (ctx.location.server === undefined && runningServer(dir.serverFile) === undefined) return offlineBackup(dir, ctx.clock)
  const { client } = await ctx.connect()
  const { body } = await client.request({ method: 'GET', path: '/pmk/v1/backup', signal: ctx.signal })
  return body
}

async function toStandardOutput(chunk: Uint8Array): Promise<void> {
  if (!nodeProcess.stdout.write(chunk)) await once(nodeProcess.stdout, 'drain')
}

function sentence({ objects, revision, bytes }: BackupSummary): string {
  return `Backed up ${objects} objects at revision ${revision} (${Math.ceil(bytes / 1024)} KiB)`
}
