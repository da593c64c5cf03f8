import { readFileSync } from 'node:fs'

/** How many files this process may have open; infinite where nothing says so. */
export function openFilesLimit(limits: string = readFileSync('/proc/self/limits', 'utf8')): number {
  const soft = /^Max open files +(\S+)/m.exec(limits)?.[1]
  return soft === undefined || soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft)
}

/** Connections that leave half of the open files to the store, to output and to starting programs. */
export function connectionsFor(openFiles: number, most: number): number {
  return Math.min(most, Math.floor(openFiles / 2))
}
