import { isJsonObject } from '../base/json.ts'
import { CliError } from './cli-error.ts'
import { type PathStep, parsePath } from './jsonpath-parse.ts'

/** A template as kubectl's -o jsonpath= takes it: text, `{paths}`, `{"quoted text"}` and `{range …}…{end}`. */
export type JsonPathTemplate = readonly TemplateNode[]

type TemplateNode =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'path'; readonly steps: readonly PathStep[] }
  | { readonly type: 'range'; readonly steps: readonly PathStep[]; readonly body: JsonPathTemplate }

/** Throws CliError that shows the place. A template without braces is taken as one path. */
export function compileTemplate(template: string): JsonPathTemplate {
  const whole = template.includes('{') ? template : `{${template}}`
  const reader = { tokens: tokenize(whole), at: 0, template }
  return readNodes(reader, false)
}

export function renderTemplate(template: JsonPathTemplate, data: unknown): string {
  return render(template, data, data)
}

/** All values that a path such as `.status.phase` or `{.items[*].metadata.name}` leads to. */
export function compilePath(path: string): (data: unknown) => readonly unknown[] {
  const inner = /^\{(.*)\}$/s.exec(path.trim())?.[1] ?? path.trim()
  const steps = parsePath(
    inner.startsWith('.') || inner.startsWith('[') || inner.startsWith('$') || inner.startsWith('@') ? inner : `.${inner}`,
    path,
  )
  return (data) => evaluate(steps, data, data)
}

/** How jsonpath prints one value. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  return value === undefined || value === null ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value)
}

interface Reader {
  readonly tokens: readonly Token[]
  readonly template: string
  at: number
}

type Token = { readonly type: 'text' | 'expression'; readonly text: string }

function tokenize(template: string): readonly Token[] {
  const tokens: Token[] = []
  let text = ''
  for (let at = 0; at < template.length; at++) {
    if (template[at] !== '{') {
      text += template[at]
      continue
    }
    const end = closingBrace(template, at)
    if (end < 0) throw new CliError(`error parsing jsonpath ${template}, unclosed action`)
    if (text !== '') tokens.push({ type: 'text', text })
    text = ''
    tokens.push({ type: 'expression', text: template.slice(at + 1, end).trim() })
    at = end
  }
  if (text !== '') tokens.push({ type: 'text', text })
  return tokens
}

function closingBrace(template: string, from: number): number {
  let quote = ''
  for (let at = from + 1; at < template.length; at++) {
    const letter = template.charAt(at)
    if (letter === '\\') at++
    else if (quote !== '') quote = letter === quote ? '' : quote
    else if (letter === '"' || letter === "'") quote = letter
    else if (letter === '}') return at
  }
  return -1
}

function readNodes(reader: Reader, inRange: boolean): JsonPathTemplate {
  const nodes: TemplateNode[] = []
  while (reader.at < reader.tokens.length) {
    const token = reader.tokens[reader.at++]
    if (token === undefined) break
    if (token.type === 'text') {
      nodes.push({ type: 'text', text: token.text })
    } else if (token.text === 'end') {
      if (!inRange) throw new CliError(`error parsing jsonpath ${reader.template}, not in range, nothing to end`)
      return nodes
    } else if (/^range\s/.test(token.text)) {
      const steps = parsePath(token.text.slice(5).trim(), reader.template)
      nodes.push({ type: 'range', steps, body: readNodes(reader, true) })
    } else if (/^(".*"|'.*')$/s.test(token.text)) {
      nodes.push({ type: 'text', text: unescapeText(token.text.slice(1, -1)) })
    } else {
      nodes.push({ type: 'path', steps: parsePath(token.text, reader.template) })
    }
  }
  if (inRange) throw new CliError(`error parsing jsonpath ${reader.template}, unterminated range`)
  return nodes
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' }

function unescapeText(text: string): string {
  return text.replace(/\\(.)/gs, (_, letter: string) => ESCAPES[letter] ?? letter)
}

function render(nodes: JsonPathTemplate, root: unknown, current: unknown): string {
  return nodes.map((node) => renderNode(node, root, current)).join('')
}

function renderNode(node: TemplateNode, root: unknown, current: unknown): string {
  switch (node.type) {
    case 'text':
      return node.text
    case 'path':
      return evaluate(node.steps, root, current).map(textOf).join(' ')
    case 'range':
      return evaluate(node.steps, root, current)
        .map((item) => render(node.body, root, item))
        .join('')
  }
}

function evaluate(steps: readonly PathStep[], root: unknown, current: unknown): readonly unknown[] {
  return steps.reduce<readonly unknown[]>((values, step) => values.flatMap((value) => take(step, root, value)), [current])
}

function take(step: PathStep, root: unknown, value: unknown): readonly unknown[] {
  switch (step.type) {
    case 'root':
      return [root]
    case 'keys':
      return step.keys.flatMap((key) => (isJsonObject(value) && Object.hasOwn(value, key) ? [value[key]] : []))
    case 'all':
      return Array.isArray(value) ? value : isJsonObject(value) ? Object.values(value) : []
    case 'slice':
      return Array.isArray(value) ? slice(value, step) : []
    case 'indexes':
      return Array.isArray(value) ? step.indexes.flatMap((index) => (value.at(index) === undefined ? [] : [value.at(index)])) : []
    case 'deep':
      return [value, ...descendants(value)]
    case 'filter':
      return (Array.isArray(value) ? value : isJsonObject(value) ? Object.values(value) : []).filter((item) => matches(step, root, item))
  }
}

function slice(list: readonly unknown[], step: { readonly from?: number; readonly to?: number; readonly by?: number }): readonly unknown[] {
  const part = list.slice(step.from ?? 0, step.to ?? list.length)
  const by = Math.max(1, step.by ?? 1)
  return part.filter((_, index) => index % by === 0)
}

function descendants(value: unknown): readonly unknown[] {
  const children = Array.isArray(value) ? value : isJsonObject(value) ? Object.values(value) : []
  return children.flatMap((child) => [child, ...descendants(child)])
}

function matches(step: Extract<PathStep, { readonly type: 'filter' }>, root: unknown, item: unknown): boolean {
  const values = (operand: readonly PathStep[] | { readonly literal: unknown }): readonly unknown[] =>
    'literal' in operand ? [operand.literal] : evaluate(operand, root, item)
  const left = values(step.left)
  if (step.operator === undefined || step.right === undefined) return left.length > 0
  const [a] = left
  const [b] = values(step.right)
  if (left.length === 0 || b === undefined) return false
  return compare(a, step.operator, b)
}

function compare(a: unknown, operator: string, b: unknown): boolean {
  switch (operator) {
    case '==':
      return a === b || String(a) === String(b)
    case '!=':
      return String(a) !== String(b)
    default: {
      const [x, y] = typeof a === 'number' && typeof b === 'number' ? [a, b] : [String(a), String(b)]
      return operator === '<' ? x < y : operator === '<=' ? x <= y : operator === '>' ? x > y : x >= y
    }
  }
}
