import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Cleanup } from './cleanup.ts'
import type { Floors } from './floors.ts'
import type { Report } from './report.ts'
import { temporary } from './scratch.ts'
import { BenchServer } from './server.ts'

/** What a section works with. Everything that it makes here goes at its end. */
export interface Context {
  readonly report: Report
  readonly floors: Floors
  readonly cleanup: Cleanup
  readonly quick: boolean
  /** The built command line. */
  readonly main: string
  /** Where each server leaves a profile of its processor time, if anywhere. */
  readonly profile: string | undefined
}

/** One group of rows; the name is what --only looks at. */
export interface Section {
  readonly name: string
  run(ctx: Context): Promise<void>
}

/** A server that runs, on a data directory of its own. */
export async function startServer(ctx: Context): Promise<BenchServer> {
  const dataDir = join(temporary(ctx.cleanup), 'data')
  mkdirSync(dataDir, { mode: 0o700 })
  const server = new BenchServer({ dataDir, main: ctx.main, profile: ctx.profile })
  ctx.cleanup.add(() => server.close())
  await server.start()
  return server
}
