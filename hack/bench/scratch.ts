import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Cleanup } from './cleanup.ts'
import { Starts } from './starts.ts'

/** A directory that goes with the section, with a path short enough for a socket in it. */
export function temporary(cleanup: Cleanup): string {
  const path = mkdtempSync(join(tmpdir(), 'pmk-bench-'))
  cleanup.add(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }))
  return path
}

export function watchStarts(cleanup: Cleanup): Starts {
  const starts = new Starts(temporary(cleanup))
  cleanup.add(() => starts.close())
  return starts
}
