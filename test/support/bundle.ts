import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'

/** One file with all that a program of the tests imports: it starts in a quarter of the time, which counts where there are dozens. */
export class Bundle {
  readonly path: string
  readonly #directory: string

  constructor(program: URL) {
    this.#directory = mkdtempSync(join(tmpdir(), 'pmk-bundle-'))
    this.path = join(this.#directory, 'program.mjs')
    buildSync({
      entryPoints: [fileURLToPath(program)],
      outfile: this.path,
      bundle: true,
      platform: 'node',
      format: 'esm',
      // For packages that are no ES modules.
      banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
      logLevel: 'warning',
    })
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true })
  }
}
