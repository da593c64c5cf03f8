import { basename } from 'node:path'

const LONGEST = 63

/** The name for a source of this directory: its own, as far as a name may hold it. Undefined for one without a name, such as `/`. */
export function sourceNameOf(directory: string): string | undefined {
  const name = basename(directory)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, LONGEST)
    .replace(/^-+|-+$/g, '')
  return name === '' ? undefined : name
}
