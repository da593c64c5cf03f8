// Renders docs/manifest.md: every field of the kinds that people write, from the schemas.

export type Schema = { [keyword: string]: unknown }

const INTRO = `# The manifest, field by field

Written by \`npm run codegen\` from \`api/*.schema.json\`; \`pmk explain process.spec\` prints the same at the terminal.

- Durations are texts such as \`500ms\`, \`10s\`, \`1h30m\`, but for Kubernetes' own \`…Seconds\` fields. Sizes are quantities: \`512Mi\`. Signals are written without \`SIG\`.
- ↻ marks fields whose change starts the program anew, one Instance after another. All others take effect on the running program.
`

export function fieldReference(kinds: readonly Schema[]): string {
  const sections = kinds.map((kind) => {
    const properties = kind.properties as Record<string, Schema>
    const rows = Object.entries(properties)
      .filter(([name]) => !['apiVersion', 'kind', 'metadata', 'status'].includes(name))
      .flatMap(([name, schema]) => rowsOf(name, schema))
    return `\n## ${String(kind.title)}\n\n${String(kind.description)}\n\n| field | type | default | what it is |\n|---|---|---|---|\n${rows.join('\n')}\n`
  })
  return INTRO + sections.join('')
}

function rowsOf(path: string, schema: Schema): readonly string[] {
  const restart = schema['x-pmk-restart'] === true ? ' ↻' : ''
  const fallback = schema.default === undefined || isEmptyObject(schema.default) ? '' : `\`${JSON.stringify(schema.default)}\``
  const row = `| \`${path}\`${restart} | ${typeOf(schema)} | ${cell(fallback)} | ${cell(String(schema.description ?? ''))} |`
  const items = schema.items as Schema | undefined
  const inner = items?.properties !== undefined ? items : schema
  const inside = Object.entries((inner.properties as Record<string, Schema> | undefined) ?? {})
  const prefix = inner === schema ? path : `${path}[]`
  return [row, ...inside.flatMap(([name, property]) => rowsOf(`${prefix}.${name}`, property))]
}

function typeOf(schema: Schema): string {
  if (schema.enum !== undefined) return (schema.enum as readonly unknown[]).map((value) => `\`${String(value)}\``).join(', ')
  if (schema.format !== undefined) return String(schema.format)
  if (schema.oneOf !== undefined) return (schema.oneOf as readonly Schema[]).map(typeOf).join(' or ')
  if (schema.type === 'array') return `list of ${typeOf((schema.items as Schema | undefined) ?? {})}`
  const values = schema.additionalProperties
  if (schema.type === 'object' && typeof values === 'object' && values !== null) return `map of ${typeOf(values as Schema)}`
  return Array.isArray(schema.type) ? schema.type.join(' or ') : String(schema.type ?? 'any')
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}
