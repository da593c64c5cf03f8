import { age } from '../base/age.ts'
import type { Timestamp } from '../base/clock.ts'
import { formatTable, printable } from './table.ts'

/** Width of the keys of an object's own fields, so that those of several blocks stand in line. */
export const KEY_WIDTH = 20

/** `Key:   value` lines; a value of several lines stands below itself. What is undefined is left out. */
export function fields(pairs: readonly (readonly [string, string | number | undefined])[], least = 0): string {
  const present = pairs.flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)] as const]))
  const width = Math.max(least, ...present.map(([key]) => key.length + 3))
  return present
    .map(([key, value]) => {
      const lines = value.split('\n').map(printable)
      const first = `${key}:`.padEnd(width)
      return lines.map((line, at) => `${at === 0 ? first : ' '.repeat(width)}${line}`.trimEnd()).join('\n')
    })
    .map((line) => `${line}\n`)
    .join('')
}

/** A heading with a table or text below it, moved in. */
export function section(title: string, body: string): string {
  return `${title}:\n${indent(body)}`
}

export function tableSection(title: string, headers: readonly string[], rows: readonly (readonly string[])[]): string {
  return rows.length === 0 ? `${`${title}:`.padEnd(KEY_WIDTH)}<none>\n` : section(title, formatTable(headers, rows, { headers: true }))
}

export function indent(text: string): string {
  return text
    .split('\n')
    .map((line) => (line === '' ? '' : `  ${line}`))
    .join('\n')
}

/** `2026-11-22T22:00:00Z (5m ago)` */
export function timeText(time: Timestamp | undefined, now: Timestamp): string | undefined {
  return time === undefined ? undefined : `${time} (${age(time, now)} ago)`
}

export function mapText(map: Readonly<Record<string, string>> | undefined, separator: string): string {
  const pairs = Object.entries(map ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
  return pairs.length === 0 ? '<none>' : pairs.map(([key, value]) => `${key}${separator}${value}`).join('\n')
}

/** A command line as a shell would need it. */
export function commandText(words: readonly string[]): string {
  return words.map((word) => (/^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ')
}
