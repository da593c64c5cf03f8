import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { DataDir } from './data-dir.ts'

/**
 * Throws a sentence for people when the store has gone and Instances of it are still there: an empty one in its place would
 * stop all that runs.
 */
export function refuseLostStore(dir: DataDir): void {
  const run = join(dir.path, 'run')
  if (hasStore(dir.db) || !existsSync(run)) return
  const instances = readdirSync(run, { withFileTypes: true }).filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
  if (instances.length === 0) return
  const others = readdirSync(dir.path).filter((name) => name.startsWith('db.before-restore-'))
  const found = others.length === 0 ? '' : ` (there is ${others.join(', ')})`
  throw new Error(
    `The store in ${dir.db} is gone, but ${instances.length} Instances of it are in ${run}. With an empty store they would be stopped, so nothing was done. ` +
      `Put the store back${found}, restore a backup (pmk server restore FILE), or begin anew with --new-store: that stops them.`,
  )
}

/** What else is wrong with what is there is told when it is opened. */
function hasStore(db: string): boolean {
  return existsSync(db) && readdirSync(db).some((name) => !['LOCK', 'LOG', 'LOG.old'].includes(name))
}
