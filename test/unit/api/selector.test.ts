import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { definitionOf } from '../../../src/api/scheme.ts'
import { escapeFieldValue, matchesFields, matchesLabels, parseFieldSelector, parseLabelSelector } from '../../../src/api/selector.ts'
import { hasReason } from '../../../src/api/status.ts'

describe('label selectors', () => {
  const labels = { app: 'web', tier: 'db', weight: '10', empty: '', 'example.com/a': 'b' }
  const table: [string, boolean][] = [
    ['', true],
    ['  ', true],
    ['app=web', true],
    ['app==web', true],
    [' app = web ', true],
    ['app=db', false],
    ['none=web', false],
    ['app!=web', false],
    ['app!=db', true],
    ['none!=web', true],
    ['app in (db,web)', true],
    ['app in (db)', false],
    ['app in(web)', true],
    ['none in (web)', false],
    ['app notin (db, web)', false],
    ['none notin (db)', true],
    ['app', true],
    ['none', false],
    ['!app', false],
    ['! none', true],
    ['empty=', true],
    ['empty!=', false],
    ['app=', false],
    ['empty in (,x)', true],
    ['weight>9', true],
    ['weight>10', false],
    ['weight<11', true],
    ['app>1', false],
    ['none<1', false],
    ['example.com/a=b', true],
    ['app=web,tier in (db),!none,weight>1', true],
    ['app=web,tier=x', false],
    ['constructor', false],
  ]
  for (const [text, expected] of table) {
    it(`${expected ? 'match' : "don't match"} for "${text}"`, () => assert.equal(matchesLabels(parseLabelSelector(text), labels), expected))
  }

  for (const text of [
    '=a',
    'a b',
    'a,',
    ',a',
    'a,,b',
    'a in',
    'a in (b',
    'a in b',
    'a in (b c)',
    'a>b',
    'a>-1',
    'a>',
    '!',
    '!a=b',
    'a b/c',
    'a=-x',
    '/a',
    'a=b=c',
    'a!b',
    'a;b',
  ]) {
    it(`refuse "${text}" with BadRequest`, () => {
      assert.throws(
        () => parseLabelSelector(text),
        (err) => hasReason(err, 'BadRequest'),
      )
    })
  }

  it('select objects without labels only by what is absent', () => {
    assert.equal(matchesLabels(parseLabelSelector('!a,b!=c')), true)
    assert.equal(matchesLabels(parseLabelSelector('a')), false)
  })
})

describe('field selectors', () => {
  const object = {
    metadata: { name: 'web', namespace: 'default' },
    spec: { desiredState: 'Running', replicas: 2, suspend: false },
    source: { component: 'agent' },
    reason: 'a,b=c\\d',
  }
  const table: [string, boolean][] = [
    ['', true],
    ['metadata.name=web', true],
    ['metadata.name==web', true],
    ['metadata.name!=web', false],
    ['metadata.name=db', false],
    ['metadata.name=web,metadata.namespace=default,', true],
    ['status.phase=', true],
    ['status.phase!=', false],
    ['status.phase!=Running', true],
    ['spec.replicas=2,spec.suspend=false', true],
    ['source=agent', true],
    ['reason=a\\,b\\=c\\\\d', true],
    ['metadata.name.length=3', false],
  ]
  for (const [text, expected] of table) {
    it(`${expected ? 'match' : "don't match"} for "${text}"`, () => assert.equal(matchesFields(parseFieldSelector(text), object), expected))
  }

  for (const text of ['metadata.name', 'metadata.name=a=b', 'a=b\\', 'a=\\x', 'a in (b)']) {
    it(`refuse "${text}" with BadRequest`, () => {
      assert.throws(
        () => parseFieldSelector(text),
        (err) => hasReason(err, 'BadRequest'),
      )
    })
  }

  it('are limited to what a kind can be selected by', () => {
    const definition = definitionOf('Process')
    assert.equal(parseFieldSelector('metadata.name=a,status.reason!=Running', definition).length, 2)
    assert.throws(() => parseFieldSelector('spec.nodeName=a', definition), /field label not supported: spec\.nodeName/)
    assert.throws(
      () => parseFieldSelector('metadata.namespace=a', definitionOf('Namespace')),
      /field label not supported: metadata\.namespace/,
    )
  })

  it('find any value that was escaped', () => {
    for (const value of ['a,b', 'a=b', 'a\\b', '!=', ',=\\', '']) {
      assert.equal(matchesFields(parseFieldSelector(`reason=${escapeFieldValue(value)}`), { reason: value }), true, value)
    }
  })
})
