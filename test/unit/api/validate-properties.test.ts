import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { definitionOf } from '../../../src/api/scheme.ts'
import { decodeObject } from '../../../src/api/validate.ts'
import { deepFreeze } from '../../../src/base/json.ts'
import { seededRandom } from '../../../src/base/random.ts'

const process = definitionOf('Process')
const whole = {
  apiVersion: 'pmk.dev/v1',
  kind: 'Process',
  metadata: {
    name: 'web',
    labels: { a: 'b' },
    finalizers: ['x/y'],
    ownerReferences: [{ apiVersion: 'v1', kind: 'A', name: 'a', uid: 'u' }],
  },
  spec: {
    command: ['a', 'b'],
    env: [
      { name: 'A', value: 'b' },
      { name: 'B', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
    ],
    rlimits: { nofile: { soft: 1, hard: 'unlimited' }, core: 0 },
    livenessProbe: { httpGet: { port: 80, httpHeaders: [{ name: 'X', value: 'y' }] } },
    updateStrategy: { rollingUpdate: { maxUnavailable: '25%' } },
    stopSteps: [{ signal: 'TERM' }],
    logs: { maxSize: '1Mi' },
  },
  status: { conditions: [{ type: 'Ready', status: 'True' }] },
}
const oddities: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  '',
  'x',
  [],
  [null],
  {},
  { x: 1 },
  { name: 'A' },
  [{ name: 'A' }, { name: 'A' }],
  ['a', 'a'],
]

/** A copy in which one node, found by chance, is something else. */
function spoil(value: unknown, random: () => number): unknown {
  const odd = (): unknown => oddities[Math.floor(random() * oddities.length)]
  if (typeof value !== 'object' || value === null || random() < 0.15) return odd()
  const keys = Object.keys(value)
  const key = keys[Math.floor(random() * keys.length)]
  if (key === undefined) return odd()
  if (Array.isArray(value)) return value.map((item, index) => (String(index) === key ? spoil(item, random) : item))
  return { ...value, [random() < 0.1 ? `${key}x` : key]: spoil((value as Record<string, unknown>)[key], random) }
}

describe('decodeObject of objects spoilt by chance', () => {
  it('always gives an answer: causes with a path and a text each, or an object that decodes to itself', () => {
    const random = seededRandom(11)
    let sound = 0
    for (let round = 0; round < 3000; round++) {
      const spoilt = spoil(spoil(whole, random), random)
      if (typeof spoilt !== 'object' || spoilt === null || Array.isArray(spoilt)) continue
      const { object, causes } = decodeObject(process, deepFreeze(spoilt), { fieldValidation: 'Strict' })
      for (const { field, reason, message } of causes) {
        assert.match(field, /^[a-zA-Z]/, JSON.stringify(spoilt))
        assert.match(reason, /^FieldValue/)
        assert.doesNotMatch(message, /undefined|\[object/, JSON.stringify(spoilt))
        assert.equal(message.startsWith(field), false)
      }
      assert.equal(new Set(causes.map(({ field }) => field)).size, causes.length, 'one cause for each field')
      if (causes.length > 0) continue
      sound++
      const again = decodeObject(process, object, { fieldValidation: 'Strict' })
      assert.deepEqual([again.object === object, again.strictErrors, again.causes], [true, [], []], JSON.stringify(spoilt))
    }
    assert.ok(sound > 100, `${sound} were sound`)
  })
})
