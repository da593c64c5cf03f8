import { mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** In memory where the host has such a place: the disk at hand may be the one that is full. */
const PLACES: readonly string[] = ['/dev/shm', '/run', tmpdir()]
/** What LevelDB keeps for itself; the rest is data. */
const NO_DATA: ReadonlySet<string> = new Set(['LOCK', 'LOG', 'LOG.old'])
/** Files that failed openings may have left behind, one of which each further attempt goes around. */
const MOST_LEFT_OVER = 20

/**
 * Opens a database that its own disk has no room to open, since LevelDB writes before it reads: in a directory of links to
 * the files, which the files behind them survive unchanged. `open` and `use` get its path; it is gone when this resolves.
 */
export async function inShadow<D extends { close(): Promise<void> }, T>(
  path: string,
  open: (shadow: string) => Promise<D>,
  use: (database: D) => Promise<T>,
): Promise<T> {
  const leftOver = new Set<string>()
  for (;;) {
    const shadow = await makeShadow(path, leftOver)
    try {
      const database = await open(shadow)
      try {
        return await use(database)
      } finally {
        await database.close()
      }
    } catch (err) {
      // A new file of a name that a failed opening has left behind, and no part of the database.
      const name = isFull(err) ? /\/([^/:]+\.ldb|MANIFEST-\d+): /.exec(wholeMessage(err))?.[1] : undefined
      if (name === undefined || leftOver.has(name) || leftOver.size >= MOST_LEFT_OVER) throw err
      leftOver.add(name)
    } finally {
      await rm(shadow, { recursive: true, force: true })
    }
  }
}

/** True when LevelDB says that its disk has no room. */
export function isFull(err: unknown): boolean {
  return /No space left on device|Disk quota exceeded/.test(wholeMessage(err))
}

async function makeShadow(path: string, without: ReadonlySet<string>): Promise<string> {
  const names = (await readdir(path)).filter((name) => !NO_DATA.has(name) && !without.has(name))
  let failure: unknown
  for (const place of PLACES) {
    const shadow = await mkdtemp(join(place, 'pmk-store-')).catch((err: unknown) => {
      failure = err
      return undefined
    })
    if (shadow === undefined) continue
    for (const name of names) await symlink(join(path, name), join(shadow, name))
    return shadow
  }
  throw failure
}

function wholeMessage(err: unknown): string {
  return err instanceof Error ? `${err.message}\n${wholeMessage(err.cause)}` : ''
}
