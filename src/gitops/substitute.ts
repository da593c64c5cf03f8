import { ManifestError, type Problem } from '../manifest/manifest.ts'

/** Variables and their values. */
export interface Substitute {
  readonly values: ReadonlyMap<string, string>
  /** Of names and values: another one for others. */
  readonly digest: string
}

/** `${NAME}`, `${NAME:-default}`, `${NAME:=default}`, and `$${NAME}` for the text `${NAME}`. Other uses of `$` are left alone. */
const EXPRESSION = /(\$?)\$\{([^{}\n]*)\}/g
const INNER = /^([_a-zA-Z][_a-zA-Z0-9]*)(?::[-=](.*))?$/

/**
 * Puts values in. Throws ManifestError naming each line with a variable that has none, and no default: an empty text in its place
 * would start programs with other arguments than anybody meant.
 */
export function substitute(file: string, text: string, { values }: Substitute): string {
  const problems: Problem[] = []
  const lines = text.split('\n').map((line, index) =>
    line.replaceAll(EXPRESSION, (whole, dollar: string, inner: string) => {
      if (dollar !== '') return whole.slice(1)
      const match = INNER.exec(inner)
      if (match === null) {
        problems.push({
          file,
          line: index + 1,
          message: `${whole} is no variable: \${NAME} or \${NAME:=default}, and $\${…} for the text itself`,
        })
        return whole
      }
      const [, name = '', fallback] = match
      const value = values.get(name) ?? fallback
      if (value === undefined)
        problems.push({
          file,
          line: index + 1,
          message: `no value for \${${name}} in spec.substitute; give it one, or a default: \${${name}:=…}`,
        })
      return value ?? whole
    }),
  )
  if (problems.length > 0) throw new ManifestError(problems)
  return lines.join('\n')
}
