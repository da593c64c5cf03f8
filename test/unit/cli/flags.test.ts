import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseFlags, parseSpan } from '../../../src/cli/flags.ts'

const specs = {
  namespace: { type: 'string', short: 'n', help: '' },
  all: { type: 'boolean', short: 'A', help: '' },
  watch: { type: 'boolean', short: 'w', help: '' },
  wait: { type: 'boolean', default: true, help: '' },
  filename: { type: 'strings', short: 'f', help: '' },
  replicas: { type: 'integer', help: '' },
  timeout: { type: 'duration', default: 30_000, help: '' },
  'dry-run': { type: 'string', default: 'none', optional: 'client', help: '' },
} as const

interface Row {
  readonly argv: readonly string[]
  readonly args: readonly string[]
  readonly values: Readonly<Record<string, unknown>>
  readonly rest?: readonly string[]
}

const rows: readonly Row[] = [
  { argv: ['a', '-n', 'x', 'b'], args: ['a', 'b'], values: { namespace: 'x' } },
  { argv: ['-nx'], args: [], values: { namespace: 'x' } },
  { argv: ['-n=x', '--namespace=y'], args: [], values: { namespace: 'y' } },
  { argv: ['-Aw'], args: [], values: { all: true, watch: true } },
  { argv: ['-Anx'], args: [], values: { all: true, namespace: 'x' } },
  { argv: ['-f', 'a', '--filename', 'b', '-f=c'], args: [], values: { filename: ['a', 'b', 'c'] } },
  { argv: ['-f', '-'], args: [], values: { filename: ['-'] } },
  { argv: ['--wait=false'], args: [], values: { wait: false } },
  { argv: [], args: [], values: { wait: true, all: false, filename: [], timeout: 30_000, replicas: undefined } },
  { argv: ['--dry-run', 'x'], args: ['x'], values: { 'dry-run': 'client' } },
  { argv: ['--dry-run=server'], args: [], values: { 'dry-run': 'server' } },
  { argv: ['--replicas', '-3'], args: [], values: { replicas: -3 } },
  { argv: ['--timeout=1m30s'], args: [], values: { timeout: 90_000 } },
  { argv: ['--timeout', '0'], args: [], values: { timeout: 0 } },
  { argv: ['web', '--', '-n', '--x'], args: ['web'], rest: ['-n', '--x'], values: { namespace: undefined } },
]

for (const row of rows) {
  test(`flags are read from: ${row.argv.join(' ') || '(nothing)'}`, () => {
    const parsed = parseFlags(row.argv, specs)
    assert.deepEqual(parsed.args, row.args)
    assert.deepEqual(parsed.rest, row.rest)
    for (const [name, value] of Object.entries(row.values)) assert.deepEqual(parsed.values[name], value, name)
  })
}

test('a flag counts as given only when it was', () => {
  assert.deepEqual([...parseFlags(['-n', 'x', '--wait'], specs).given], ['namespace', 'wait'])
})

const mistakes: readonly (readonly [readonly string[], string])[] = [
  [['--bogus'], 'unknown flag: --bogus'],
  [['--constructor'], 'unknown flag: --constructor'],
  [['-x'], "unknown shorthand flag: 'x' in -x"],
  [['-n'], 'flag needs an argument: -n, --namespace'],
  [['--replicas=two'], 'invalid argument "two" for "--replicas" flag: not a whole number'],
  [['--timeout=5'], 'invalid argument "5" for "--timeout" flag: not a duration such as 30s, 5m or 1h30m'],
  [['--wait=maybe'], 'invalid argument "maybe" for "--wait" flag: neither true nor false'],
]

for (const [argv, message] of mistakes) {
  test(`${argv.join(' ')} is refused: ${message}`, () => {
    assert.throws(() => parseFlags(argv, specs), { name: 'CliError', message, usage: true })
  })
}

test('spans of time are read as Go writes them, and days', () => {
  const spans: Readonly<Record<string, number | undefined>> = {
    '0': 0,
    '1.5h': 5_400_000,
    '2d': 172_800_000,
    '-1s': -1_000,
    '500ms': 500,
    '': undefined,
    '5': undefined,
    s: undefined,
  }
  for (const [text, span] of Object.entries(spans)) assert.equal(parseSpan(text), span, text)
})
