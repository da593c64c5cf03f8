// Writes .tmp/unit/tests.cjs, all unit tests as one program: eighty processes that each compile the sources anew cost many times what the tests
// themselves do. Each file is a suite of its name, so that its hooks are its own.
import { readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { build } from 'esbuild'

const root = resolve(import.meta.dirname, '..')
const files = readdirSync(resolve(root, 'test/unit'), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.test.ts'))
const suites = files.sort().map((file) => `describe('test/unit/${file}', () => { require('./${file}') })`)
await build({
  stdin: { contents: ["const { describe } = require('node:test')", ...suites].join('\n'), resolveDir: resolve(root, 'test/unit') },
  // As far below the root as the sources are: one of them reads package.json.
  outfile: resolve(root, '.tmp/unit/tests.cjs'),
  bundle: true,
  format: 'cjs',
  platform: 'node',
  target: 'node20.19',
  packages: 'external',
  sourcemap: 'inline',
  define: { 'import.meta.url': 'ownUrl' },
  banner: { js: "const ownUrl = require('node:url').pathToFileURL(__filename).href" },
  logLevel: 'warning',
})
