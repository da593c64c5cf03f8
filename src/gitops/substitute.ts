import type { YamlTexts } from '../base/yaml.ts'
import type { Problem } from '../manifest/manifest.ts'
import { SUBSTITUTE_ANNOTATION } from './well-known.ts'

/** Variables and their values. */
export interface Substitute {
  readonly values: ReadonlyMap<string, string>
  /** Names of those whose values come from Secrets. */
  readonly secrets: ReadonlySet<string>
  /** Of names and values: another one for others. Not to be shown. */
  readonly digest: string
}

/** `${…}`, with a `$` before it for the text itself. Without the second group it is not closed, or another stands in it. */
const EXPRESSION = /(\$?)\$\{(?:([^{}\n]*)\})?/g
const INNER = /^([_a-zA-Z][_a-zA-Z0-9]*)(.*)$/
const DEFAULT = /^(:?)[-=](.*)$/
const SUBSTRING = /^:\s*(\d+)(?:\s*:\s*(\d+))?$/
const REPLACEMENT = /^\/(\/?)([^/]+)\/(.*)$/

const FORMS = `\${NAME}, \${NAME:=default}, \${NAME:0:8}, \${NAME/old/new} or \${NAME//old/new}, and $\${…} for the text itself`

/**
 * Puts values in place of `${NAME}`, in the texts of a manifest and not in its YAML: a value stays where it is put, whatever it holds.
 * Where the text is not in quotes, what comes out is read as YAML reads a word: `3` is a number. The forms are those of Flux's
 * substitution after a build: defaults (`:=`, `:-`; `=` and `-` only for what is not set at all), substrings and replacement of texts.
 * A variable without value and default is a problem, and so is any other form: an empty text in its place would start programs with
 * other arguments than anybody meant. Objects with the annotation `pmk.dev/substitute: disabled` are left alone.
 */
export function substitution(file: string, variables: Substitute, problems: Problem[]): YamlTexts {
  return {
    leaves: (get) =>
      get('metadata', 'annotations', SUBSTITUTE_ANNOTATION) === 'disabled' && get('kind') !== undefined && get('apiVersion') !== undefined,
    edit: (text, lineOf) =>
      text.replaceAll(EXPRESSION, (whole: string, dollar: string, inner: string | undefined) => {
        const line = lineOf(whole)
        if (dollar !== '') return whole.slice(1)
        const result =
          inner === undefined ? { problem: `a variable is not closed, or another one stands in it: ${FORMS}` } : expand(inner, variables)
        if ('text' in result) return result.text
        problems.push({ file, line, message: result.problem })
        return whole
      }),
  }
}

function expand(inner: string, { values, secrets }: Substitute): { readonly text: string } | { readonly problem: string } {
  const [, name, operation = ''] = INNER.exec(inner) ?? []
  if (name === undefined) return { problem: `\${${inner}} is no variable: ${FORMS}` }
  const value = values.get(name)
  const fallback = DEFAULT.exec(operation)
  if (fallback !== null) return { text: value === undefined || (value === '' && fallback[1] === ':') ? (fallback[2] ?? '') : value }
  const substring = SUBSTRING.exec(operation)
  const replacement = REPLACEMENT.exec(operation)
  if (operation !== '' && substring === null && replacement === null) return { problem: `\${${inner}} is no form of a variable: ${FORMS}` }
  if (value === undefined) return { problem: `no value for \${${name}} in spec.substitute; give it one, or a default: \${${name}:=…}` }
  if (operation === '') return { text: value }
  // Parts of it could not be kept out of messages.
  if (secrets.has(name)) return { problem: `\${${name}} comes from a Secret, and such a value can only be put in as a whole` }
  if (substring !== null) {
    const begin = Number(substring[1])
    return { text: value.slice(begin, substring[2] === undefined ? undefined : begin + Number(substring[2])) }
  }
  const [, all, old = '', text = ''] = replacement ?? []
  return { text: all === '/' ? value.replaceAll(old, () => text) : value.replace(old, () => text) }
}

/** Values shorter than this are no secrets, and would be found in every word. */
const SHORTEST_SECRET = 4
/** A beginning of a value that can be no accident; messages cut long values short. */
const TELLING = 8

/** The text without values of Secrets, as they are and as JSON writes them. */
export function maskSecrets(text: string, { values, secrets }: Substitute): string {
  let masked = text
  for (const name of secrets) {
    const value = values.get(name) ?? ''
    if (value.length < SHORTEST_SECRET) continue
    for (const written of new Set([value, JSON.stringify(value).slice(1, -1)])) masked = mask(masked, written)
  }
  return masked
}

function mask(text: string, secret: string): string {
  const head = secret.slice(0, TELLING)
  let result = ''
  let at = 0
  for (let found = text.indexOf(head); found !== -1; found = text.indexOf(head, at)) {
    let length = head.length
    while (length < secret.length && text[found + length] === secret[length]) length += 1
    result += `${text.slice(at, found)}***`
    at = found + length
  }
  return result + text.slice(at)
}
