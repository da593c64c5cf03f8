import { mkdirSync, rmSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { buildSync } from 'esbuild'

const ROOT = resolve(import.meta.dirname, '../..')
const programs = new Map<string, string>()

/**
 * A source file, given by its path in the repository, as a program that `node` runs: all it imports in one file, made once in this process and
 * gone with it. Started from its sources a program would compile each of its modules, at every start.
 */
export function sourceProgram(path: string): string {
  const made = programs.get(path)
  if (made !== undefined) return made
  // As far below the root as the sources are: one of them reads package.json.
  const program = join(ROOT, '.tmp/programs', `${process.pid}-${basename(path, '.ts')}.mjs`)
  mkdirSync(join(ROOT, '.tmp/programs'), { recursive: true })
  process.once('exit', () => rmSync(program, { force: true }))
  buildSync({
    absWorkingDir: ROOT,
    entryPoints: [path],
    outfile: program,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    packages: 'external',
    logLevel: 'warning',
  })
  programs.set(path, program)
  return program
}
