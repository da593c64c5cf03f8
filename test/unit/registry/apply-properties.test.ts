import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hasReason } from '../../../src/api/status.ts'
import { isJsonObject, jsonEqual } from '../../../src/base/json.ts'
import { seededRandom } from '../../../src/base/random.ts'
import { type Fields, OneObject } from './one-object.ts'

/** Makes small configurations of a Process in which the same fields meet again and again. */
class Configurations {
  readonly #random: () => number

  constructor(seed: number) {
    this.#random = seededRandom(seed)
  }

  pick<T>(choices: readonly [T, ...T[]]): T {
    return choices[Math.floor(this.#random() * choices.length)] ?? choices[0]
  }

  /** Every field is there or not, by chance. */
  next(): Fields {
    const value = (): string => this.pick(['1', '2'])
    return {
      metadata: this.#some({
        labels: () => this.#some({ a: value, b: value }),
        annotations: () => this.#some({ a: value, b: value }),
        finalizers: () => this.#subset(['x/1', 'x/2', 'x/3']),
      }),
      spec: this.#some({
        command: () => [this.pick(['a', 'b'])],
        nice: () => this.pick([1, 2]),
        replicas: () => this.pick([1, 2]),
        env: () => this.#subset(['A', 'B', 'C']).map((name) => ({ name, ...this.#some({ value }) })),
        dependsOn: () =>
          this.#subset(['d', 'e']).map((name) => ({ name, ...this.#some({ condition: () => this.pick(['Started', 'Ready']) }) })),
        rlimits: () => this.#some({ nofile: () => this.pick<unknown>([5, { soft: 1 }, 'unlimited']), core: () => 0 }),
        securityContext: () => this.#some({ runAsUser: value, umask: () => this.pick(['0077', '0022']) }),
        logs: () => this.#some({ maxFiles: () => this.pick([1, 2]), compress: () => this.pick([true, false]) }),
        stopSteps: () => [{ signal: this.pick(['TERM', 'INT']) }],
      }),
    }
  }

  #some(fields: Readonly<Record<string, () => unknown>>): Fields {
    const chosen = Object.entries(fields).filter(() => this.#random() < 0.5)
    return Object.fromEntries(chosen.map(([name, make]) => [name, make()]))
  }

  #subset(items: readonly string[]): string[] {
    return items.filter(() => this.#random() < 0.5).sort(() => this.#random() - 0.5)
  }
}

/** Whether an object has all that a configuration says, in items and keys too. */
function says(object: unknown, config: unknown): boolean {
  if (isJsonObject(config)) return isJsonObject(object) && Object.entries(config).every(([name, value]) => says(object[name], value))
  if (!Array.isArray(config) || !Array.isArray(object)) return jsonEqual(object, config)
  return config.every((item) => object.some((candidate) => says(candidate, item)))
}

const managers: readonly [string, ...string[]] = ['a', 'b', 'c']

describe('server-side apply of random configurations', () => {
  for (let seed = 1; seed <= 20; seed++) {
    it(`holds its promises in row ${seed}`, () => {
      const configurations = new Configurations(seed)
      const subject = new OneObject()
      subject.apply('base', { spec: { script: 'x' } })
      for (let step = 0; step < 25; step++) {
        const body = configurations.next()
        const manager = configurations.pick(managers)
        const before = subject.live
        let conflicted = false
        try {
          subject.apply(manager, body)
        } catch (err) {
          if (!hasReason(err, 'Conflict')) throw err
          conflicted = true
          assert.equal(subject.live, before)
          subject.apply(manager, body, { force: true })
        }
        assert.ok(says(subject.live, body), 'what was applied is there')
        assert.equal(subject.apply(manager, body), subject.live, 'applying it again changes nothing')
        if (!conflicted && before !== undefined) assertOthersKept(before, subject, manager)
        assertOwnedExists(subject)
        if (step % 3 === 0) updateByChance(subject, configurations)
      }
      for (const manager of managers) subject.apply(manager, {})
      subject.apply('base', { spec: { script: 'x' } })
      const left = Object.keys(subject.owners).filter((owner) => owner !== 'base/Apply' && owner !== 'edit/Update')
      assert.deepEqual(left, [])
    })
  }
})

/** An ordinary write conflicts with nobody, and an apply of the old value does afterwards. */
function updateByChance(subject: OneObject, configurations: Configurations): void {
  const nice = configurations.pick([7, 8])
  subject.update('edit', { spec: { ...subject.spec, nice } })
  assert.equal(subject.spec.nice, nice)
  for (const manager of managers) {
    const fields = (subject.owners[`${manager}/Apply`] as Fields | undefined)?.['f:spec']
    assert.equal(isJsonObject(fields) && 'f:nice' in fields, false, 'taken over')
  }
  assert.throws(
    () => subject.apply('late', { spec: { nice: 9 } }),
    (err) => hasReason(err, 'Conflict'),
  )
}

/** Without force nothing that others own changes or goes. */
function assertOthersKept(before: object, subject: OneObject, manager: string): void {
  const live = subject.live ?? {}
  for (const [owner, fields] of Object.entries(subject.owners)) {
    if (owner === `${manager}/Apply`) continue
    visit(fields, before, live, owner)
  }
}

/** Every owned field is in the object. */
function assertOwnedExists(subject: OneObject): void {
  for (const [owner, fields] of Object.entries(subject.owners)) visit(fields, subject.live, subject.live, owner)
}

function visit(fields: unknown, before: unknown, after: unknown, where: string): void {
  const entries = Object.entries(fields as Fields).filter(([element]) => element !== '.')
  if (entries.length === 0) {
    assert.notEqual(after, undefined, `${where} is owned and gone`)
    // Of a list with granular items others may change what isn't owned.
    if (!Array.isArray(after) && !isJsonObject(after)) assert.deepEqual(after, before, `${where} is owned and was changed`)
    return
  }
  for (const [element, below] of entries) visit(below, step(before, element), step(after, element), `${where} ${element}`)
}

function step(value: unknown, element: string): unknown {
  const rest = element.slice(2)
  if (element.startsWith('f:')) return isJsonObject(value) ? value[rest] : undefined
  if (!Array.isArray(value)) return undefined
  const wanted = JSON.parse(rest) as unknown
  return value.find((item) => (element.startsWith('v:') ? item === wanted : says(item, wanted)))
}
