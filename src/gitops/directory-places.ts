import type { BigIntStats } from 'node:fs'
import { lstat, readlink, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** Links that a path may lead through, as the kernel has it. */
const MOST_LINKS = 40

/** A directory in which a change shows. */
export interface Place {
  /** Another directory at the same path has another. */
  readonly identity: string
  /** In which names of it. */
  readonly names: ReadonlySet<string> | 'all'
}

/** Where a change of the tree shows: each directory of it, and outside of it the names by which it is reached. */
export type Places = ReadonlyMap<string, Place>

/** The places by which a path is reached, of which something may be missing. */
export async function placesOf(path: string): Promise<Places> {
  const places = new Map<string, { readonly identity: string; readonly names: Set<string> }>()
  for (const { directory, name } of await stepsTo(path)) {
    const place = places.get(directory) ?? { identity: await identityAt(directory), names: new Set() }
    place.names.add(name)
    places.set(directory, place)
  }
  return places
}

/** Directory and name of each step that the path takes through the file system, links and what they lead to included. */
export async function stepsTo(path: string): Promise<readonly { readonly directory: string; readonly name: string }[]> {
  const steps: { directory: string; name: string }[] = []
  const rest = path.split('/').filter((part) => part !== '' && part !== '.')
  let directory = '/'
  for (let links = 0; ; ) {
    const name = rest.shift()
    if (name === undefined) return steps
    if (name === '..') {
      directory = dirname(directory)
      continue
    }
    steps.push({ directory, name })
    const next = join(directory, name)
    const target = await linkAt(next)
    if (target === undefined) return steps
    if (target === 'no link') {
      directory = next
      continue
    }
    links += 1
    if (links > MOST_LINKS) return steps
    if (target.startsWith('/')) directory = '/'
    rest.unshift(...target.split('/').filter((part) => part !== '' && part !== '.'))
  }
}

/** Undefined where nothing is, or nothing may be looked at. */
async function linkAt(path: string): Promise<string | 'no link' | undefined> {
  try {
    return (await lstat(path)).isSymbolicLink() ? await readlink(path) : 'no link'
  } catch {
    return undefined
  }
}

/** Empty where nothing is. */
export async function identityAt(directory: string): Promise<string> {
  try {
    return identityOf(await stat(directory, { bigint: true }))
  } catch {
    return ''
  }
}

/** A number of an inode is given anew as soon as it is free, so it takes the time of birth as well, where there is one. */
export function identityOf({ dev, ino, birthtimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${birthtimeNs}`
}
