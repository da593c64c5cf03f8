import type { Millis } from '../base/clock.ts'
import { CliError } from './cli-error.ts'

/**
 * One flag of a verb. Names are those people type. `optional` is the value of a flag given without `=`: `--dry-run` alone;
 * such a flag never takes the next word.
 */
export interface FlagSpec {
  readonly type: 'boolean' | 'string' | 'strings' | 'integer' | 'duration'
  readonly short?: string
  readonly help: string
  /** What stands for the value in the help. */
  readonly placeholder?: string
  readonly default?: boolean | string | number
  readonly optional?: string
  readonly hidden?: true
}

export type FlagSpecs = Readonly<Record<string, FlagSpec>>

type Present<S extends FlagSpec, T> = S extends { readonly default: T } ? T : T | undefined

type FlagValue<S extends FlagSpec> = S['type'] extends 'boolean'
  ? boolean
  : S['type'] extends 'strings'
    ? readonly string[]
    : S['type'] extends 'string'
      ? Present<S, string>
      : Present<S, number>

/** Values by flag name. Booleans are false and lists empty unless given; durations are milliseconds. */
export type FlagValues<F extends FlagSpecs> = { readonly [K in keyof F]: FlagValue<F[K]> }

export interface ParsedFlags {
  readonly args: readonly string[]
  /** What stands after `--`; undefined when there is none. */
  readonly rest: readonly string[] | undefined
  readonly values: Readonly<Record<string, unknown>>
  /** Flags that were given, not defaulted. */
  readonly given: ReadonlySet<string>
}

/** Parses as kubectl does: flags and words in any order, `-n x`, `-nx`, `-n=x`, `-Aw`, `--flag=x`, `--` ends the flags. */
export function parseFlags(argv: readonly string[], specs: FlagSpecs): ParsedFlags {
  const state: State = { specs, values: initialValues(specs), given: new Set(), words: [...argv] }
  const args: string[] = []
  for (let word = state.words.shift(); word !== undefined; word = state.words.shift()) {
    if (word === '--') return { args, rest: state.words, values: state.values, given: state.given }
    if (word.startsWith('--')) parseLong(state, word)
    else if (word.length > 1 && word.startsWith('-')) parseShort(state, word)
    else args.push(word)
  }
  return { args, rest: undefined, values: state.values, given: state.given }
}

/** Milliseconds of `30s`, `1m30s`, `1.5h`, `2d`, `0`, also negative; undefined when it is no duration. */
export function parseSpan(text: string): Millis | undefined {
  const match = /^(-?)((?:[0-9]+(?:\.[0-9]+)?(?:ms|[smhd]))+|0)$/.exec(text)
  if (match === null) return undefined
  let total = 0
  for (const [, digits, unit] of (match[2] ?? '').matchAll(/([0-9.]+)(ms|[smhd])/g)) total += Number(digits) * (UNITS[unit ?? ''] ?? 0)
  return match[1] === '-' ? -total : total
}

const UNITS: Readonly<Record<string, Millis>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

interface State {
  readonly specs: FlagSpecs
  readonly values: Record<string, unknown>
  readonly given: Set<string>
  readonly words: string[]
}

function initialValues(specs: FlagSpecs): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  for (const [name, spec] of Object.entries(specs)) {
    values[name] = spec.type === 'boolean' ? (spec.default ?? false) : spec.type === 'strings' ? [] : spec.default
  }
  return values
}

function parseLong(state: State, word: string): void {
  const equals = word.indexOf('=')
  const name = equals < 0 ? word.slice(2) : word.slice(2, equals)
  const spec = Object.hasOwn(state.specs, name) ? state.specs[name] : undefined
  if (spec === undefined) throw new CliError(`unknown flag: --${name}`, { usage: true })
  take(state, name, spec, equals < 0 ? undefined : word.slice(equals + 1), `--${name}`)
}

function parseShort(state: State, word: string): void {
  for (let at = 1; at < word.length; at++) {
    const letter = word.charAt(at)
    const found = Object.entries(state.specs).find(([, spec]) => spec.short === letter)
    if (found === undefined) throw new CliError(`unknown shorthand flag: '${letter}' in ${word}`, { usage: true })
    const [name, spec] = found
    const left = word.slice(at + 1)
    const label = `-${letter}, --${name}`
    if (left.startsWith('=')) {
      take(state, name, spec, left.slice(1), label)
      return
    }
    if (spec.type === 'boolean' || spec.optional !== undefined) {
      take(state, name, spec, undefined, label)
      continue
    }
    take(state, name, spec, left === '' ? undefined : left, label)
    return
  }
}

function take(state: State, name: string, spec: FlagSpec, attached: string | undefined, label: string): void {
  state.given.add(name)
  if (spec.type === 'boolean') {
    state.values[name] = attached === undefined || truthOf(attached, label)
    return
  }
  const text = attached ?? spec.optional ?? state.words.shift()
  if (text === undefined) throw new CliError(`flag needs an argument: ${label}`, { usage: true })
  if (spec.type === 'strings') state.values[name] = [...(state.values[name] as readonly string[]), text]
  else state.values[name] = spec.type === 'string' ? text : numberOf(spec.type, text, label)
}

function numberOf(type: 'integer' | 'duration', text: string, label: string): number {
  if (type === 'duration') {
    const span = parseSpan(text)
    if (span === undefined) throw badValue(text, label, 'not a duration such as 30s, 5m or 1h30m')
    return span
  }
  if (!/^[+-]?[0-9]{1,15}$/.test(text)) throw badValue(text, label, 'not a whole number')
  return Number(text)
}

function truthOf(text: string, label: string): boolean {
  if (['true', 't', '1'].includes(text.toLowerCase())) return true
  if (['false', 'f', '0'].includes(text.toLowerCase())) return false
  throw badValue(text, label, 'neither true nor false')
}

function badValue(text: string, label: string, why: string): CliError {
  return new CliError(`invalid argument "${text}" for "${label}" flag: ${why}`, { usage: true })
}
