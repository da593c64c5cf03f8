import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compilePath, compileTemplate, renderTemplate } from '../../../src/cli/jsonpath.ts'

const list = {
  kind: 'List',
  items: [
    {
      metadata: { name: 'web', labels: { 'app.kubernetes.io/name': 'shop' } },
      spec: { replicas: 2, command: ['a', 'b', 'c'] },
      ready: true,
    },
    { metadata: { name: 'db' }, spec: { replicas: 10, command: [] }, ready: false },
  ],
}

const rows: readonly (readonly [string, string])[] = [
  ['{.kind}', 'List'],
  ['.kind', 'List'],
  ['{$.kind}', 'List'],
  ['{@.kind}', 'List'],
  ['{.items[*].metadata.name}', 'web db'],
  ['{.items[0].spec.command}', '["a","b","c"]'],
  ['{.items[-1].metadata.name}', 'db'],
  ['{.items[0,1].metadata.name}', 'web db'],
  ['{.items[0].spec.command[0:2]}', 'a b'],
  ['{.items[0].spec.command[1:]}', 'b c'],
  ['{.items[0].spec.command[::2]}', 'a c'],
  ['{.items[0].spec.command[-2:]}', 'b c'],
  ["{.items[0]['metadata']['name']}", 'web'],
  ["{.items[0].metadata.labels['app.kubernetes.io/name']}", 'shop'],
  ['{.items[0].metadata.labels.app\\.kubernetes\\.io/name}', 'shop'],
  ['{.items[?(@.metadata.name=="db")].spec.replicas}', '10'],
  ["{.items[?(@.metadata.name!='db')].metadata.name}", 'web'],
  ['{.items[?(@.spec.replicas>2)].metadata.name}', 'db'],
  ['{.items[?(@.spec.replicas<=2)].metadata.name}', 'web'],
  ['{.items[?(@.ready==true)].metadata.name}', 'web'],
  ['{.items[?(@.metadata.labels)].metadata.name}', 'web'],
  ['{..name}', 'web db'],
  ['{.items[*].metadata.missing}', ''],
  ['{range .items[*]}{.metadata.name}{"\\t"}{.spec.replicas}{"\\n"}{end}', 'web\t2\ndb\t10\n'],
  ['{range .items[*]}[{range .spec.command[*]}{@},{end}]{end}', '[a,b,c,][]'],
  ["names: {.items[*].metadata.name}{'\\n'}", 'names: web db\n'],
  ['{.items[0].ready} {.items[1].ready}', 'true false'],
]

for (const [template, text] of rows) {
  test(`${template} gives ${JSON.stringify(text)}`, () => assert.equal(renderTemplate(compileTemplate(template), list), text))
}

const mistakes: readonly (readonly [string, string])[] = [
  ['{.items', 'error parsing jsonpath {.items, unclosed action'],
  ['{.items[}', 'error parsing jsonpath {.items[}, unterminated array'],
  ['{.items[x]}', 'error parsing jsonpath {.items[x]}, invalid array index x'],
  ['{range .items[*]}{.a}', 'error parsing jsonpath {range .items[*]}{.a}, unterminated range'],
  ['{end}', 'error parsing jsonpath {end}, not in range, nothing to end'],
  ['{items}', 'error parsing jsonpath {items}, unrecognized identifier items; a path begins with a dot'],
]

for (const [template, message] of mistakes) {
  test(`${template} is refused`, () => assert.throws(() => compileTemplate(template), { message }))
}

test('a key of the prototype is no field', () => {
  assert.deepEqual(compilePath('.constructor')({}), [])
})

test('a path may be written without its dot and with braces', () => {
  assert.deepEqual(compilePath('kind')(list), ['List'])
  assert.deepEqual(compilePath('{.items[*].spec.replicas}')(list), [2, 10])
})
