// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are what is tested.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ConfigMap, ManifestSource, Secret } from '../../../src/generated/types.ts'
import { DocumentReader } from '../../../src/gitops/documents.ts'
import { maskSecrets, type Substitute } from '../../../src/gitops/substitute.ts'
import { variablesOf } from '../../../src/gitops/variables.ts'
import { formatProblem } from '../../../src/manifest/manifest.ts'

function variables(values: Readonly<Record<string, string>>, secrets: readonly string[] = []): Substitute {
  return { values: new Map(Object.entries(values)), secrets: new Set(secrets), digest: JSON.stringify(values) }
}

const VALUES = variables(
  {
    NAME: 'web',
    EMPTY: '',
    PORT: '8080',
    YES: 'true',
    MANY: 'a\nb: c\n---\n',
    QUOTES: '"}, evil: {"',
    _x1: 'low',
    TOKEN: 'hunter2hunter2',
  },
  ['TOKEN'],
)

async function read(
  text: string,
  values = VALUES,
): Promise<{ readonly objects: readonly unknown[]; readonly problems: readonly string[] }> {
  const snapshot = { revision: text, files: [{ path: 'a.yaml', text }], problems: [], notes: [] }
  const options = { namespace: 'default', variables: values, signal: new AbortController().signal }
  const { placed, problems } = await new DocumentReader().read(snapshot, options)
  return { objects: placed.map(({ manifest }) => manifest.object), problems: problems.map(formatProblem) }
}

/** What a value of a ConfigMap becomes, or what is wrong with it. */
async function becomes(written: string): Promise<unknown> {
  const { objects, problems } = await read(`apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  v: ${written}\n`)
  const [object] = objects as readonly { readonly data: { readonly v: unknown } }[]
  return object === undefined ? problems : object.data.v
}

describe('forms of variables', () => {
  const cases: readonly (readonly [string, unknown])[] = [
    ['${NAME}', 'web'],
    ['x-${NAME}-${PORT}', 'x-web-8080'],
    ['${_x1}', 'low'],
    ['${NONE:=other}', 'other'],
    ['"${NONE:-other text, with = and : in it}"', 'other text, with = and : in it'],
    ['${NONE:=}', null],
    ['"${NONE:=}"', ''],
    ['${EMPTY:=other}', 'other'],
    ['"${EMPTY=other}"', ''],
    ['${NONE=other}', 'other'],
    ['${NONE-other}', 'other'],
    ['${NAME:=other}', 'web'],
    ['${PORT:1}', 80],
    ['${PORT:0:2}', 80],
    ['${NAME:1:1}', 'e'],
    ['${NAME:9}', null],
    ['${NAME/e/$&}', 'w$&b'],
    ['${PORT/80/1}', 180],
    ['${PORT//80/1}', 11],
    ['$${NAME}', '${NAME}'],
    ['a$${NAME}${NAME}', 'a${NAME}web'],
    ['$NAME $(NAME) $$ 5$', '$NAME $(NAME) $$ 5$'],
  ]
  for (const [written, expected] of cases)
    test(`${written} becomes ${JSON.stringify(expected)}`, async () => assert.deepEqual(await becomes(written), expected))
})

describe('types', () => {
  const cases: readonly (readonly [string, unknown])[] = [
    ['${PORT}', 8080],
    ['"${PORT}"', '8080'],
    ["'${PORT}'", '8080'],
    ['${YES}', true],
    ['"${YES}"', 'true'],
    ['${PORT}m', '8080m'],
    ['${EMPTY}', null],
    ['|-\n    ${PORT}', '8080'],
    ['${MANY}', 'a\nb: c\n---\n'],
    ['"${MANY}"', 'a\nb: c\n---\n'],
    ['${QUOTES}', '"}, evil: {"'],
    ['"${QUOTES}"', '"}, evil: {"'],
    ['{in: "${QUOTES}"}', { in: '"}, evil: {"' }],
    ['|\n    first ${MANY}\n    last', 'first a\nb: c\n---\n\nlast\n'],
    ['{"${NAME}": 1}', { web: 1 }],
    ['{"${PORT}": 1}', { 8080: 1 }],
    ['[&x "${NAME}", *x]', ['web', 'web']],
  ]
  for (const [written, expected] of cases)
    test(`${JSON.stringify(written)} is ${JSON.stringify(expected)}`, async () => assert.deepEqual(await becomes(written), expected))
})

describe('mistakes', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['${NONE}', /^a\.yaml:5: no value for \$\{NONE\} in spec\.substitute; give it one, or a default: \$\{NONE:=…\}$/],
    ['|\n    one\n    two ${NONE}', /^a\.yaml:7: no value/],
    ['"${EMPTY}\\n\\\n    ${NONE}"', /^a\.yaml:6: no value/],
    ['${NONE:0:1}', /no value for \$\{NONE\}/],
    ['${}', /\$\{\} is no variable/],
    ['${1}', /\$\{1\} is no variable/],
    ['${NAME^^}', /\$\{NAME\^\^\} is no form of a variable/],
    ['${NAME%b}', /is no form/],
    ['${NAME:x}', /is no form/],
    ['${#NAME}', /is no variable/],
    ['${NONE:-${NAME}}', /is not closed, or another one stands in it/],
    ['"${NAME"', /is not closed/],
    ['${TOKEN:0:7}', /^a\.yaml:5: \$\{TOKEN\} comes from a Secret, and such a value can only be put in as a whole$/],
    ['${TOKEN/h/x}', /comes from a Secret/],
  ]
  for (const [written, expected] of cases) {
    test(`${JSON.stringify(written)} is one`, async () => {
      const found = await becomes(written)
      assert.ok(Array.isArray(found), `it became ${JSON.stringify(found)}`)
      assert.match(String(found[0]), expected)
      assert.equal(found.length, 1)
    })
  }

  test('of a file all are told, each with its line, and nothing that follows from them', async () => {
    const { problems } = await read(
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "${A}"}\ndata: {b: "${B} ${A}"}\n---\nkind: Nonsense\napiVersion: ${C}\n',
    )
    assert.deepEqual(
      problems.map((text) => text.slice(0, 27)),
      ['a.yaml:3: no value for ${A}', 'a.yaml:4: no value for ${B}', 'a.yaml:4: no value for ${A}', 'a.yaml:7: no value for ${C}'],
    )
  })

  test('a comment is no place for a variable, and mistakes of YAML are told as they are written', async () => {
    assert.deepEqual((await read('# ${NONE}\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c} # ${NONE}\n')).problems, [])
    const [problem] = (await read('a: "${TOKEN}\n')).problems
    assert.match(problem ?? '', /^a\.yaml:\d: invalid YAML/)
    assert.doesNotMatch(problem ?? '', /hunter2/)
  })
})

test('an object with the annotation is left alone: alone in its file, beside others, and in a list', async () => {
  const object = (name: string, annotations: string): string =>
    `{apiVersion: v1, kind: ConfigMap, metadata: {name: ${name}, annotations: {${annotations}}}, data: {v: "\${NAME} \${NONE:=x} $\${NAME}"}}`
  const disabled = 'pmk.dev/substitute: disabled'
  const values = async (text: string): Promise<readonly unknown[]> =>
    (await read(text)).objects.map((each) => (each as { data: { v: string } }).data.v)
  const [raw, done] = ['${NAME} ${NONE:=x} $${NAME}', 'web x ${NAME}']
  assert.deepEqual(await values(object('a', disabled)), [raw])
  assert.deepEqual(await values(object('a', 'pmk.dev/substitute: enabled')), [done])
  assert.deepEqual(await values(`${object('a', disabled)}\n---\n${object('b', '')}\n`), [raw, done])
  const list = `{apiVersion: v1, kind: List, items: [${object('a', '')}, ${object('b', disabled)}]}`
  assert.deepEqual(await values(list), [done, raw])
})

test('without spec.substitute the text is taken as it is', async () => {
  const text = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {v: "${NAME} $${NAME}"}\n'
  const snapshot = { revision: '1', files: [{ path: 'a.yaml', text }], problems: [], notes: [] }
  const { placed } = await new DocumentReader().read(snapshot, {
    namespace: 'default',
    variables: undefined,
    signal: new AbortController().signal,
  })
  assert.deepEqual(placed[0]?.manifest.object.data, { v: '${NAME} $${NAME}' })
})

describe('where values come from', () => {
  const metadata = { name: 'x', namespace: 'apps' }
  const map = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata,
    data: { A: 'map', B: 'map', C: 'map', 'not-a-name': 'x' },
  } as unknown as ConfigMap
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata, data: { B: Buffer.from('secret').toString('base64') } } as unknown as Secret
  const find = (kind: string, namespace: string): ConfigMap | Secret | undefined =>
    namespace !== 'apps' ? undefined : kind === 'Secret' ? secret : map
  const of = (substitute: object, namespace = 'apps'): ReturnType<typeof variablesOf> =>
    variablesOf({ metadata: { name: 's', namespace }, spec: { substitute } } as unknown as ManifestSource, find)

  test('later ones go before earlier ones, and values of the source before all', () => {
    const from = [
      { kind: 'ConfigMap', name: 'x' },
      { kind: 'Secret', name: 'x' },
    ]
    const found = of({ from, values: { C: 'own' } })
    assert.ok('variables' in found)
    assert.deepEqual(
      [...(found.variables?.values ?? [])],
      [
        ['A', 'map'],
        ['B', 'secret'],
        ['C', 'own'],
      ],
    )
    assert.deepEqual([...(found.variables?.secrets ?? [])], ['B'])
    const turned = of({ from: [...from].reverse() })
    assert.ok('variables' in turned)
    assert.deepEqual([turned.variables?.values.get('B'), turned.variables?.secrets.size], ['map', 0])
  })

  test('what is missing is named, unless it may be', () => {
    assert.deepEqual(of({ from: [{ kind: 'Secret', name: 'x' }] }, 'other'), {
      missing: 'Secret other/x of spec.substitute.from is not there',
    })
    assert.ok('variables' in of({ from: [{ kind: 'Secret', name: 'x', optional: true }] }, 'other'))
  })
})

test('values of Secrets are kept out of messages: whole, in quotes, and cut short', () => {
  const long = `${'begin"'}${'x'.repeat(300)}`
  const values = variables({ T: 'hunter2', L: long, SHORT: 'ab', OPEN: 'open' }, ['T', 'L', 'SHORT'])
  const cases: readonly (readonly [string, string])[] = [
    ['Invalid value: "hunter2": no', 'Invalid value: "***": no'],
    ['hunter2hunter2 and hunter', '****** and hunter'],
    [`Invalid value: ${JSON.stringify(long)}: no`, 'Invalid value: "***": no'],
    [`Invalid value: ${JSON.stringify(long).slice(0, 120)}…: no`, 'Invalid value: "***…: no'],
    ['open ab', 'open ab'],
  ]
  for (const [text, masked] of cases) assert.equal(maskSecrets(text, values), masked)
})
