// Writes src/generated/ and docs/manifest.md from api/*.schema.json. With an argument, writes there instead: that is how verify-codegen.sh compares.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import nodeProcess from 'node:process'
import { fileURLToPath } from 'node:url'
import { compile } from 'json-schema-to-typescript'
import { fieldReference, type Schema } from './field-reference.ts'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const apiDir = join(root, 'api')
const elsewhere = nodeProcess.argv[2]
const outDir = resolve(elsewhere ?? join(root, 'src/generated'))
const docsDir = resolve(elsewhere ?? join(root, 'docs'))
const BANNER = '// Written by hack/update-codegen.ts from api/*.schema.json. Do not edit.\n'

const isSchema = (value: unknown): value is Schema => typeof value === 'object' && value !== null && !Array.isArray(value)

function read(file: string): Schema {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Schema
  } catch (err) {
    throw new Error(`${relative(root, file)}: ${(err as Error).message}`)
  }
}

/** Copies a schema; each reference is handed to `ref` with the absolute path it points to, each include is merged in. */
function transform(schema: unknown, file: string, ref: (target: string, siblings: Schema) => Schema): unknown {
  if (Array.isArray(schema)) return schema.map((item) => transform(item, file, ref))
  if (!isSchema(schema)) return schema
  const { $ref, $schema: _dialect, 'x-pmk-include': include, ...rest } = schema
  const copy: Schema = {}
  for (const [keyword, value] of Object.entries(rest)) {
    // Defaults, enums and x-pmk hold data, not schemas.
    copy[keyword] = ['default', 'enum', 'const', 'x-pmk'].includes(keyword) ? value : transform(value, file, ref)
  }
  if (typeof $ref === 'string') return ref(resolve(dirname(file), $ref), copy)
  if (typeof include === 'string') {
    const target = resolve(dirname(file), include)
    const included = transform(read(target), target, ref) as Schema
    copy.properties = { ...(copy.properties as Schema), ...(included.properties as Schema) }
  }
  return copy
}

/** The schema with every reference replaced by what it points to. */
function inline(file: string): Schema {
  const ref = (target: string, siblings: Schema): Schema => ({ ...inline(target), ...siblings })
  return transform(read(file), file, ref) as Schema
}

/** The schema with references into `definitions`, so that shared shapes become one named type each. */
function named(file: string, definitions: Record<string, Schema>): Schema {
  const ref = (target: string): Schema => {
    const title = read(target).title
    if (typeof title !== 'string') throw new Error(`${relative(root, target)}: a schema that is referred to needs a title`)
    if (!(title in definitions)) {
      definitions[title] = {}
      definitions[title] = named(target, definitions)
    }
    return { $ref: `#/definitions/${title}` }
  }
  const schema = requireDefaults(transform(read(file), file, ref)) as Schema
  return Object.fromEntries(Object.entries(schema).map(([keyword, value]) => [keyword, hoist(value, definitions)]))
}

/** Moves every titled object inside a schema to `definitions`, so that one that is included twice is one type. */
function hoist(schema: unknown, definitions: Record<string, Schema>): unknown {
  if (Array.isArray(schema)) return schema.map((item) => hoist(item, definitions))
  if (!isSchema(schema)) return schema
  const copy = Object.fromEntries(Object.entries(schema).map(([keyword, value]) => [keyword, hoist(value, definitions)]))
  if (typeof schema.title !== 'string' || schema.type !== 'object') return copy
  definitions[schema.title] = copy
  return { $ref: `#/definitions/${schema.title}` }
}

/** A stored object has every field that has a default, so its type says so. */
function requireDefaults(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(requireDefaults)
  if (!isSchema(schema)) return schema
  const copy: Schema = {}
  for (const [keyword, value] of Object.entries(schema))
    copy[keyword] = keyword === 'default' || keyword === 'x-pmk' ? value : requireDefaults(value)
  if (schema.type === 'object' && isSchema(schema.properties)) {
    const withDefault = Object.entries(schema.properties)
      .filter(([, property]) => isSchema(property) && 'default' in property)
      .map(([name]) => name)
    copy.required = [...new Set([...((schema.required as string[] | undefined) ?? []), ...withDefault])]
  }
  return copy
}

/** json-schema-to-typescript writes mutable types; ours are deeply readonly. */
function makeReadonly(types: string): string {
  return types
    .replace(/^(\s+)((?:[A-Za-z_$][\w$]*|'[^']+'|"[^"]+")\??: |\[k: string\]: )/gm, '$1readonly $2')
    .replace(/: (\([^()\n]*\)|[\w$]+)\[\]/g, ': readonly $1[]')
    .replace(/: \[([^[\]\n]+), \.\.\.(\([^()\n]*\)|[\w$]+)\[\]\]/g, ': readonly [$1, ...$2[]]')
}

const kindFiles = readdirSync(apiDir)
  .filter((name) => name.endsWith('.schema.json'))
  .sort()
const kinds = kindFiles.map((name) => inline(join(apiDir, name)))
const titles = kinds.map((schema) => String(schema.title))

const definitions: Record<string, Schema> = {}
for (const name of kindFiles) {
  const schema = named(join(apiDir, name), definitions)
  definitions[String(schema.title)] = schema
}
const kindMap = {
  title: 'KindMap',
  description: 'Each kind by its name.',
  type: 'object',
  additionalProperties: false,
  required: titles,
  properties: Object.fromEntries(titles.map((title) => [title, { $ref: `#/definitions/${title}` }])),
  definitions,
}
const types = makeReadonly(
  await compile(kindMap as never, 'KindMap', {
    bannerComment: '',
    additionalProperties: false,
    maxItems: -1,
    style: { semi: false, singleQuote: true, printWidth: 140 },
  }),
)
const mutable = types.split('\n').filter((line) => /\[\]/.test(line) && !/readonly [\w$(]+.*\[\]|readonly \[/.test(line))
if (mutable.length > 0) throw new Error(`codegen left mutable arrays:\n${mutable.join('\n')}`)

mkdirSync(outDir, { recursive: true })
writeFileSync(join(outDir, 'types.ts'), `${BANNER}\n${types}`)
// Texts to be parsed: the engine reads them faster than it would compile literals of that size.
const entries = kinds.map((schema) => `  ${String(schema.title)}: JSON.parse(${JSON.stringify(JSON.stringify(schema))}),`)
writeFileSync(
  join(outDir, 'schemas.ts'),
  `${BANNER}\n/** The schema of each kind, with every reference resolved. */\nexport const schemas: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {\n${entries.join('\n')}\n}\n`,
)

const written = [
  'Process',
  'ManifestSource',
  'ConfigMap',
  'Secret',
  'Namespace',
  'Role',
  'ClusterRole',
  'RoleBinding',
  'ClusterRoleBinding',
]
writeFileSync(join(docsDir, 'manifest.md'), fieldReference(written.flatMap((title) => kinds.filter((kind) => kind.title === title))))
