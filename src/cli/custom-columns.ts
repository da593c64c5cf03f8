import { CliError } from './cli-error.ts'
import { compilePath, textOf } from './jsonpath.ts'

export interface CustomColumns {
  readonly headers: readonly string[]
  readonly row: (object: unknown) => readonly string[]
}

/** `NAME:.metadata.name,READY:.status.readyReplicas` */
export function compileColumns(spec: string): CustomColumns {
  if (spec === '') throw new CliError('custom-columns format specified but no custom columns given')
  const columns = splitColumns(spec).map((part) => {
    const colon = part.indexOf(':')
    if (colon <= 0 || colon === part.length - 1) {
      throw new CliError(`unexpected custom-columns spec: ${part}, expected <header>:<json-path-expr>`)
    }
    return { header: part.slice(0, colon), read: compilePath(part.slice(colon + 1)) }
  })
  return {
    headers: columns.map(({ header }) => header),
    row: (object) =>
      columns.map(({ read }) => {
        const values = read(object)
        return values.length === 0 ? '<none>' : values.map((value) => (value === null ? '<none>' : textOf(value))).join(',')
      }),
  }
}

/** At commas that are not in brackets. */
function splitColumns(spec: string): readonly string[] {
  const parts: string[] = []
  let depth = 0
  let part = ''
  for (const letter of spec) {
    if (letter === '[') depth++
    else if (letter === ']') depth--
    if (letter === ',' && depth === 0) {
      parts.push(part)
      part = ''
    } else {
      part += letter
    }
  }
  return [...parts, part]
}
