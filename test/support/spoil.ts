import type { JsonSchema } from '../../src/api/scheme.ts'

/** What chance decides, from one seed. */
export class Dice {
  readonly next: () => number

  constructor(random: () => number) {
    this.next = random
  }

  chance(share: number): boolean {
    return this.next() < share
  }

  below(count: number): number {
    return Math.floor(this.next() * count)
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T
  }
}

const TEXTS: readonly string[] = [
  '',
  ' ',
  'x',
  'a-b.c',
  '0',
  '-1',
  'true',
  'null',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '..',
  '../../etc/passwd',
  'a/b',
  '%2f',
  '\0',
  'a\0b',
  '\ud800',
  '\udfff\ud800',
  '\u202e\u2028',
  '😀'.repeat(70),
  'x'.repeat(64),
  'x'.repeat(300),
  'y'.repeat(70_000),
  '99999999999999999999h',
  '1e309',
  '-0',
  'NaN',
  '1Gi',
  '-1Gi',
  '1'.repeat(400),
  '2026-02-30T00:00:00Z',
  '2026-01-01T00:00:00Z',
  '+292277026596-01-01T00:00:00Z',
  'KILL',
  'SIGRTMAX+99',
  '25%',
  '1000000%',
  '0-4294967296',
  '$(PATH)',
  '${x',
  '\u001b[2J',
  'é\u0301'.repeat(40),
]
const ODDITIES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  2 ** 31,
  2 ** 53,
  -(2 ** 63),
  1e308,
  5e-324,
  [],
  {},
  [null],
  [[]],
  [{}],
  { '': '' },
  JSON.parse('{"__proto__":{"polluted":true}}'),
  { constructor: { prototype: { polluted: true } } },
  { toString: 1, valueOf: null, length: -1 },
  { $patch: 'delete' },
  { $patch: 'replace', x: 1 },
  JSON.parse('{"then":"x"}'),
  Array.from({ length: 300 }, (_, at) => at),
  Array.from({ length: 50 }, () => ({ name: 'a', type: 'a' })),
]

export function oddText(dice: Dice): string {
  return dice.of(TEXTS)
}

export function oddity(dice: Dice): unknown {
  const roll = dice.next()
  if (roll < 0.4) return oddText(dice)
  if (roll < 0.95) return dice.of(ODDITIES)
  let deep: unknown = 'deep'
  for (let depth = dice.of([5, 60, 190, 260]); depth > 0; depth--) deep = dice.chance(0.5) ? [deep] : { a: deep }
  return deep
}

const FORMATS: Readonly<Record<string, readonly string[]>> = {
  duration: ['1s', '500ms', '1h30m'],
  quantity: ['1', '500m', '64Mi'],
  signal: ['TERM', 'HUP', 'RTMIN+1'],
  'date-time': ['2026-01-01T00:00:00Z', '1970-01-01T00:00:00.000Z'],
  'micro-time': ['2026-01-01T00:00:00.000001Z'],
  byte: ['', 'YQ=='],
}
/** Fits most patterns of the schemas. */
const WORDS: readonly string[] = ['a', 'b1', 'web', 'x-1']
const PATTERNED: readonly string[] = ['/tmp', '/', 'A_B', '022', '25%', '200-299', '0-3', 'a', 'NET_RAW', `sha256:${'0'.repeat(64)}`]

/** A value that mostly satisfies a schema, with a share of the fields that it may have. */
export function sampleOf(schema: JsonSchema, dice: Dice, depth = 0): unknown {
  if (schema.const !== undefined) return schema.const
  if (schema.enum !== undefined) return dice.of(schema.enum)
  if (schema.oneOf !== undefined) return sampleOf(dice.of(schema.oneOf), dice, depth)
  const type = typeof schema.type === 'string' ? schema.type : (schema.type?.[0] ?? 'object')
  switch (type) {
    case 'string':
      return dice.of(schema.format === undefined ? (schema.pattern === undefined ? WORDS : PATTERNED) : (FORMATS[schema.format] ?? WORDS))
    case 'integer':
    case 'number':
      return (schema.minimum ?? 0) + dice.below(3)
    case 'boolean':
      return dice.chance(0.5)
    case 'array':
      return Array.from({ length: dice.below(4) }, () => sampleOf(schema.items ?? {}, dice, depth + 1))
    default: {
      const share = depth === 0 ? 1 : depth < 3 ? 0.35 : 0.25
      const known = Object.entries(schema.properties ?? {})
        .filter(([name]) => schema.required?.includes(name) === true || dice.chance(share))
        .map(([name, field]) => [name, sampleOf(field, dice, depth + 1)])
      const more = schema.additionalProperties
      const free =
        typeof more === 'object' ? Array.from({ length: dice.below(3) }, () => [dice.of(WORDS), sampleOf(more, dice, depth + 1)]) : []
      return Object.fromEntries([...known, ...free])
    }
  }
}

/** A copy of a JSON value in which one node, found by chance, is another one, gone, doubled or misnamed. */
export function spoil(value: unknown, dice: Dice): unknown {
  if (typeof value !== 'object' || value === null || dice.chance(0.12)) return oddity(dice)
  const keys = Object.keys(value)
  const key = dice.of(keys)
  if (key === undefined || dice.chance(0.05))
    return Array.isArray(value) ? [...value, oddity(dice)] : { ...value, [oddText(dice)]: oddity(dice) }
  const roll = dice.next()
  if (Array.isArray(value)) {
    const index = Number(key)
    if (roll < 0.1) return value.filter((_, at) => at !== index)
    if (roll < 0.2) return [...value, value[index]]
    return value.map((item, at) => (at === index ? spoil(item, dice) : item))
  }
  const object = value as Readonly<Record<string, unknown>>
  const { [key]: part, ...rest } = object
  if (roll < 0.08) return rest
  if (roll < 0.14) return { ...rest, [oddText(dice)]: part }
  return Object.fromEntries(Object.entries(object).map(([name, item]) => [name, name === key ? spoil(item, dice) : item]))
}

/** JSON in which the text itself is broken, or odd: cut, with a letter changed, keys again, numbers that are too large. */
export function spoilText(text: string, dice: Dice): string | Uint8Array {
  const at = dice.below(text.length)
  const with_ = (piece: string): string => text.slice(0, at) + piece + text.slice(at + 1)
  switch (dice.below(12)) {
    case 0:
      return text.slice(0, at)
    case 1:
      return with_(dice.of(['"', '{', '}', '[', ']', ',', ':', '\\', '\0', '\n', '\ufeff']))
    case 2:
      return text.replace(/\{/, '{"metadata":{"name":"first"},"__proto__":{"a":1},"kind":"X",')
    case 3:
      return text.replace(/:(\d+)/, dice.of([':1e400', ':-1e999', ':01', ':0x10', ':99999999999999999999999', ':1.0', ':-0', ':NaN']))
    case 4:
      return Buffer.concat([Buffer.from(text.slice(0, at)), Buffer.from([0xff, 0xfe, 0x80]), Buffer.from(text.slice(at))])
    case 5:
      return `\ufeff${text}`
    case 6:
      return text + text
    case 7:
      return text.replace(/"([a-z]+)":/i, '"$1":null,"$1":')
    case 8:
      return text.replaceAll('"', dice.of(["'", '“', '\\"']))
    case 9:
      return Buffer.from(text, 'utf16le')
    case 10:
      return ''
    default:
      return `${' '.repeat(dice.below(100_000))}${text}\n\n`
  }
}
