// Writes dist/: the command line and the server as JavaScript that `node` runs, in a few files. See docs/adr/0016.
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild'

const root = resolve(import.meta.dirname, '..')

/**
 * The files of dist/, with the modules that each begins with. A module lies in one file only, the first here that imports it statically, so that
 * there is one of it in a process; what none of them imports is in `verbs`.
 */
const FILES: Readonly<Record<string, readonly string[]>> = {
  // What every command needs, and `get` with its client: the command that people wait for most often.
  main: ['src/main.ts', 'src/cli/get.ts', 'src/client/http-client.ts'],
  yaml: ['node_modules/yaml/dist/index.js'],
  server: ['src/app/all-in-one.ts'],
  verbs: [],
}
/** The modules of `server` that commands need, too: they must not load all of it. */
const SHARED = 'shared'
/** Files of which all is needed as soon as they are loaded. The modules of the others wait until they are asked for. */
const WHOLE: ReadonlySet<string> = new Set(['main', 'server'])

const options: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  // Node starts it faster than ES modules.
  format: 'cjs',
  platform: 'node',
  target: 'node20.19',
  // yargs reads files of its own, and only help texts need it; the compilers of Fastify are never asked for.
  external: ['yargs', '@fastify/ajv-compiler', '@fastify/fast-json-stringify-compiler'],
  // ws asks for these by name at its start, to be a little faster with large messages; which of them happens to lie near isn't left to chance.
  define: { 'process.env.WS_NO_BUFFER_UTIL': '"1"', 'process.env.WS_NO_UTF_8_VALIDATE': '"1"' },
  preserveSymlinks: true,
  logLevel: 'warning',
  logOverride: { 'empty-import-meta': 'error' },
}

const replacements: Plugin = {
  name: 'replacements',
  setup({ onLoad, onResolve }) {
    // The sources read it out of package.json, which is not to be read at each start.
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { readonly version: string }
    onLoad({ filter: /\/src\/base\/version\.ts$/ }, () => ({ contents: `export const version = ${JSON.stringify(version)}` }))
    // Native code stays where npm put it.
    onResolve({ filter: /^\.\/binding$/ }, ({ resolveDir }) =>
      resolveDir.endsWith('/classic-level') ? { path: 'classic-level/binding.js', external: true } : undefined,
    )
  },
}

interface Layout {
  /** The file of dist/ that each module lies in. */
  readonly fileOf: ReadonlyMap<string, string>
  /** Modules that are imported from other files. */
  readonly wanted: ReadonlySet<string>
}

async function layOut(): Promise<Layout> {
  const { metafile } = await build({
    ...options,
    plugins: [replacements],
    entryPoints: ['src/main.ts'],
    outdir: 'dist',
    write: false,
    metafile: true,
  })
  const modules = Object.keys(metafile.inputs)
  const reach = new Map(Object.entries(FILES).map(([file, begin]) => [file, reachable(metafile, begin)]))
  const ofCommands = reachable(
    metafile,
    modules.filter((module) => module.startsWith('src/cli/')),
  )
  const place = (module: string): string => {
    const file = [...reach.keys()].find((candidate) => reach.get(candidate)?.has(module)) ?? 'verbs'
    return file === 'server' && ofCommands.has(module) ? SHARED : file
  }
  const fileOf = new Map(modules.map((module) => [module, place(module)]))
  const imports = modules.flatMap((module) =>
    importsOf(metafile, module).map(({ path }) => ({ path, crosses: fileOf.get(path) !== fileOf.get(module) })),
  )
  return { fileOf, wanted: new Set(imports.filter(({ crosses }) => crosses).map(({ path }) => path)) }
}

function importsOf({ inputs }: Metafile, module: string): Metafile['inputs'][string]['imports'] {
  const input = inputs[module]
  if (input === undefined) throw new Error(`${module} is not part of the program`)
  return input.imports.filter(({ external }) => external !== true)
}

/** These modules and what they import, but for what they import later, by `import()`. */
function reachable(metafile: Metafile, begin: readonly string[]): ReadonlySet<string> {
  const found = new Set(begin)
  for (const module of found) for (const { path, kind } of importsOf(metafile, module)) if (kind !== 'dynamic-import') found.add(path)
  return found
}

/** What stands in for a module is CommonJS, whatever that module is called. */
const STAND_IN = '.cjs'

/** Turns the import of a module that lies in another file into a `require` of that file. */
function elsewhere(own: string, { fileOf }: Layout): Plugin {
  return {
    name: 'elsewhere',
    setup({ onLoad, onResolve, resolve }) {
      onResolve({ filter: /.*/, namespace: 'file' }, async ({ path, kind, pluginData, ...from }) => {
        // Our own question, answered by the next in turn.
        if (pluginData === elsewhere) return undefined
        const found = await resolve(path, { ...from, kind, pluginData: elsewhere })
        const module = relative(root, found.path)
        const file = fileOf.get(module)
        return found.external || file === undefined || file === own ? found : { path: `${module}${STAND_IN}`, namespace: 'elsewhere' }
      })
      onLoad({ filter: /.*/, namespace: 'elsewhere' }, ({ path }) => {
        const module = path.slice(0, -STAND_IN.length)
        return { contents: `module.exports = require('./${fileOf.get(module)}.js')[${JSON.stringify(module)}]` }
      })
      onResolve({ filter: /.*/, namespace: 'elsewhere' }, ({ path }) => ({ path, external: true }))
    },
  }
}

/** A module that offers what other files want of this one, by path. */
function entryOf(file: string, { fileOf, wanted }: Layout): string {
  const offered = [...wanted]
    .filter((module) => fileOf.get(module) === file)
    .map((module) => [JSON.stringify(module), JSON.stringify(`./${module}`)])
  const lines = WHOLE.has(file)
    ? offered.map(([name, module]) => `export * as ${name} from ${module}`)
    : ['module.exports = {', ...offered.map(([name, module]) => `get ${name}() { return require(${module}) },`), '}']
  return [...lines, ...(file === 'main' ? ["import './src/main.ts'"] : [])].join('\n')
}

const { values } = parseArgs({ options: { outdir: { type: 'string', default: join(root, 'dist') } } })
const outdir = resolve(values.outdir)
const layout = await layOut()
rmSync(outdir, { recursive: true, force: true })
mkdirSync(outdir, { recursive: true })
writeFileSync(join(outdir, 'package.json'), '{ "type": "commonjs" }\n')
for (const file of new Set(layout.fileOf.values())) {
  await build({
    ...options,
    plugins: [replacements, elsewhere(file, layout)],
    stdin: { contents: entryOf(file, layout), resolveDir: root, sourcefile: `${file}.js` },
    outfile: join(outdir, `${file}.js`),
    sourcemap: 'linked',
    sourcesContent: false,
    ...(file === 'main' && { banner: { js: '#!/usr/bin/env node' } }),
  })
}
chmodSync(join(outdir, 'main.js'), 0o755)
