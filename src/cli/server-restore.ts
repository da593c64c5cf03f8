import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { resolve } from 'node:path'
import nodeProcess from 'node:process'
import { dataDirAt } from '../app/data-dir.ts'
import { restoreBackup } from '../app/restore.ts'
import { CliError } from './cli-error.ts'
import { dataDirOf } from './connect.ts'
import { defineVerb, type Verb } from './verb.ts'

export const verb: Verb = defineVerb({
  usage: 'server restore FILE [flags]',
  description:
    'Makes what a backup holds the state of a stopped server. The file is checked to its end first: one that is cut off or altered changes nothing. `-` is standard input.\nThe next server takes over the Instances that the backup names, starts those that do not run, and stops what runs but is not in it. Whoever watches lists anew.',
  examples: ['pmk server stop && pmk server restore /var/backups/pmk.gz --force && pmk server start'],
  flags: {
    force: { type: 'boolean', help: 'Also where there is a store already; it is kept beside, as db.before-restore-TIME' },
  },
  async run({ ctx, args, flags }) {
    const [file, ...more] = args
    if (file === undefined || more.length > 0) throw new CliError('server restore takes one file, or -', { usage: true })
    const dir = dataDirAt(dataDirOf(ctx.location, ctx.io))
    const chunks = file === '-' ? nodeProcess.stdin : await readable(resolve(ctx.io.cwd, file))
    const { objects, header, revision, before } = await restoreBackup(dir, chunks, { force: flags.force, clock: ctx.clock })
    ctx.io.write(
      `Restored ${objects} objects of revision ${header.revision}, backed up ${header.createdAt}, into ${dir.db}; it goes on at revision ${revision}.\n`,
    )
    if (before !== undefined) ctx.io.write(`The store that was there is in ${before}.\n`)
    return 0
  },
})

/** A file that isn't there is told of before anything else happens. */
async function readable(path: string): Promise<AsyncIterable<Uint8Array>> {
  const file = await open(path, 'r')
  await file.close()
  return createReadStream(path)
}
