import { CliError } from './cli-error.ts'

type Operand = readonly PathStep[] | { readonly literal: unknown }

export type PathStep =
  | { readonly type: 'root' }
  | { readonly type: 'keys'; readonly keys: readonly string[] }
  | { readonly type: 'indexes'; readonly indexes: readonly number[] }
  | { readonly type: 'slice'; readonly from?: number; readonly to?: number; readonly by?: number }
  | { readonly type: 'all' }
  | { readonly type: 'deep' }
  | { readonly type: 'filter'; readonly left: Operand; readonly operator?: string; readonly right?: Operand }

/** The steps of one path, such as `.spec.env[?(@.name=="A")].value`. `whole` is for messages. */
export function parsePath(path: string, whole: string): readonly PathStep[] {
  const steps: PathStep[] = []
  let left = path.trim()
  if (left.startsWith('$')) {
    steps.push({ type: 'root' })
    left = left.slice(1)
  } else if (left.startsWith('@')) {
    left = left.slice(1)
  } else if (left !== '' && !/^[.[]/.test(left)) {
    throw unreadable(whole, `unrecognized identifier ${left}; a path begins with a dot`)
  }
  while (left !== '') {
    const { step, rest } = left.startsWith('[') ? readBracket(left, whole) : readDot(left, whole)
    steps.push(...step)
    left = rest
  }
  return steps
}

interface Read {
  readonly step: readonly PathStep[]
  readonly rest: string
}

function readDot(left: string, whole: string): Read {
  if (left.startsWith('..')) {
    const rest = left.slice(2)
    return { step: [{ type: 'deep' }], rest: rest.startsWith('[') ? rest : `.${rest}` }
  }
  if (!left.startsWith('.')) throw unreadable(whole, `unexpected ${left}`)
  if (left === '.') return { step: [], rest: '' }
  if (left.startsWith('.[')) return { step: [], rest: left.slice(1) }
  if (left.startsWith('.*')) return { step: [{ type: 'all' }], rest: left.slice(2) }
  const key = /^\.((?:\\.|[^\\.[\]\s(){}])+)/.exec(left)
  if (key === null) throw unreadable(whole, `unexpected ${left}`)
  return { step: [{ type: 'keys', keys: [(key[1] ?? '').replace(/\\(.)/g, '$1')] }], rest: left.slice(key[0].length) }
}

function readBracket(left: string, whole: string): Read {
  const end = closingBracket(left)
  if (end < 0) throw unreadable(whole, 'unterminated array')
  const inner = left.slice(1, end).trim()
  return { step: [bracketStep(inner, whole)], rest: left.slice(end + 1) }
}

function bracketStep(inner: string, whole: string): PathStep {
  if (inner === '*') return { type: 'all' }
  const filter = /^\?\((.*)\)$/s.exec(inner)
  if (filter !== null) return readFilter(filter[1] ?? '', whole)
  if (/^-?[0-9]+(\s*,\s*-?[0-9]+)*$/.test(inner)) return { type: 'indexes', indexes: inner.split(',').map(Number) }
  const range = /^(-?[0-9]*):(-?[0-9]*)(?::([0-9]+))?$/.exec(inner)
  if (range !== null) {
    const [, from = '', to = '', by = ''] = range
    return {
      type: 'slice',
      ...(from !== '' && { from: Number(from) }),
      ...(to !== '' && { to: Number(to) }),
      ...(by !== '' && { by: Number(by) }),
    }
  }
  const quoted = /^(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")(?:\s*,\s*(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"))*$/s
  if (quoted.test(inner)) {
    const keys = [...inner.matchAll(/'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"/gs)].map(([, a, b]) => (a ?? b ?? '').replace(/\\(.)/g, '$1'))
    return { type: 'keys', keys }
  }
  throw unreadable(whole, `invalid array index ${inner}`)
}

function readFilter(text: string, whole: string): PathStep {
  const at = findOperator(text)
  if (at === undefined) return { type: 'filter', left: readOperand(text.trim(), whole) }
  const { start, operator } = at
  return {
    type: 'filter',
    left: readOperand(text.slice(0, start).trim(), whole),
    operator,
    right: readOperand(text.slice(start + operator.length).trim(), whole),
  }
}

function findOperator(text: string): { readonly start: number; readonly operator: string } | undefined {
  let quote = ''
  for (let at = 0; at < text.length; at++) {
    const letter = text.charAt(at)
    if (quote !== '') quote = letter === quote ? '' : quote
    else if (letter === '"' || letter === "'") quote = letter
    else {
      const operator = ['==', '!=', '<=', '>=', '<', '>'].find((candidate) => text.startsWith(candidate, at))
      if (operator !== undefined) return { start: at, operator }
    }
  }
  return undefined
}

function readOperand(text: string, whole: string): Operand {
  const quoted = /^(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')$/s.exec(text)
  if (quoted !== null) return { literal: (quoted[1] ?? quoted[2] ?? '').replace(/\\(.)/g, '$1') }
  if (/^-?[0-9]+(\.[0-9]+)?$/.test(text)) return { literal: Number(text) }
  if (text === 'true' || text === 'false') return { literal: text === 'true' }
  return parsePath(text, whole)
}

function closingBracket(text: string): number {
  let depth = 0
  let quote = ''
  for (let at = 0; at < text.length; at++) {
    const letter = text.charAt(at)
    if (letter === '\\') at++
    else if (quote !== '') quote = letter === quote ? '' : quote
    else if (letter === '"' || letter === "'") quote = letter
    else if (letter === '[') depth++
    else if (letter === ']' && --depth === 0) return at
  }
  return -1
}

function unreadable(whole: string, why: string): CliError {
  return new CliError(`error parsing jsonpath ${whole}, ${why}`)
}
