import { createHash } from 'node:crypto'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { GitReference } from '../generated/types.ts'

/** Where a source keeps its repository: one of its own for each that it is pointed at. */
export function repositoryDirectory(root: string, uid: string, { url }: GitReference): string {
  return join(root, `${uid}-${createHash('sha256').update(url).digest('hex').slice(0, 12)}`)
}

/** Credentials and trees that a server which was killed left in its repositories. */
export async function removeLeftovers(root: string): Promise<void> {
  for (const name of await namesIn(root))
    for (const part of ['login', 'trusted', 'tree']) await rm(join(root, name, part), { recursive: true, force: true })
}

/** Removes repositories that no source has any more: it is gone, or points elsewhere. `kept` is asked once it is known what is there. */
export async function removeAbandoned(root: string, kept: () => ReadonlySet<string>): Promise<void> {
  const names = await namesIn(root)
  const keep = kept()
  for (const name of names) if (!keep.has(join(root, name))) await rm(join(root, name), { recursive: true, force: true })
}

/** Removes what a source had of a repository that it pointed at before. */
export async function removeEarlier(root: string, uid: string, current: string): Promise<void> {
  for (const name of await namesIn(root))
    if (name.startsWith(`${uid}-`) && join(root, name) !== current) await rm(join(root, name), { recursive: true, force: true })
}

async function namesIn(root: string): Promise<readonly string[]> {
  try {
    return await readdir(root)
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'ENOENT') throw err
    return []
  }
}
