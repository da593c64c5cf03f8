import { isJsonObject } from '../base/json.ts'

export type FieldPath = readonly (string | number)[]

/**
 * The steps of a field as messages name it (`spec.env[0].name`, `.spec.env[name="A"].value`, `metadata.labels.a.b/c`), as far
 * as they exist in `value`: keys may hold dots, and only the object itself tells where one ends. What doesn't exist is a last
 * step of its own, so that a missing field points at its parent.
 */
export function resolveField(value: unknown, field: string): FieldPath {
  const path: (string | number)[] = []
  let node = value
  for (let left = field; left !== ''; ) {
    const step = left.startsWith('[') ? bracketStep(node, left) : keyStep(node, left.startsWith('.') ? left.slice(1) : left)
    if (step === undefined) break
    path.push(step.key)
    left = step.left
    node = Array.isArray(node) ? node[Number(step.key)] : isJsonObject(node) && Object.hasOwn(node, step.key) ? node[step.key] : undefined
  }
  return path
}

/** `spec.env[0].name`. A key that is no plain word stands in brackets and quotes. */
export function formatField(path: FieldPath): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`
    if (!/^[A-Za-z_][\w-]*$/.test(step)) return `${text}[${JSON.stringify(step)}]`
    return text === '' ? step : `${text}.${step}`
  }, '')
}

/** What stands at a path; undefined where nothing does. */
export function valueAt(value: unknown, path: FieldPath): unknown {
  return path.reduce<unknown>((node, step) => {
    if (Array.isArray(node)) return node[Number(step)]
    return isJsonObject(node) && Object.hasOwn(node, step) ? node[step] : undefined
  }, value)
}

interface Step {
  readonly key: string | number
  readonly left: string
}

function keyStep(node: unknown, left: string): Step | undefined {
  if (isJsonObject(node)) {
    const known = Object.keys(node)
      .filter((key) => key !== '' && left.startsWith(key) && ['', '.', '['].includes(left.charAt(key.length)))
      .sort((a, b) => b.length - a.length)[0]
    if (known !== undefined) return { key: known, left: left.slice(known.length) }
  }
  const end = left.search(/[.[]/)
  const key = end < 0 ? left : left.slice(0, end)
  return key === '' ? undefined : { key, left: end < 0 ? '' : left.slice(end) }
}

function bracketStep(node: unknown, left: string): Step | undefined {
  const index = /^\[([0-9]+)\]/.exec(left)
  if (index !== null) return { key: Number(index[1]), left: left.slice(index[0].length) }
  const selector = /^\[((?:\w*="(?:[^"\\]|\\.)*",?)+)\]/.exec(left)
  if (selector !== null && Array.isArray(node)) {
    const wanted = [...(selector[1] ?? '').matchAll(/(\w*)="((?:[^"\\]|\\.)*)"/g)].map(([, key = '', text = '']) => [key, text] as const)
    const at = node.findIndex((item) =>
      wanted.every(([key, text]) => String(key === '' ? item : isJsonObject(item) ? item[key] : undefined) === text),
    )
    return { key: Math.max(0, at), left: left.slice(selector[0].length) }
  }
  const key = /^\["?((?:[^"\\\]]|\\.)*)"?\]/.exec(left)
  return key === null ? undefined : { key: key[1] ?? '', left: left.slice(key[0].length) }
}
