import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hasReason } from '../../../src/api/status.ts'
import { isJsonObject, jsonEqual } from '../../../src/base/json.ts'
import { seededRandom } from '../../../src/base/random.ts'
import { Bench, type Fields } from './ownership-bench.ts'

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
  for (let seed = 1; seed <= 40; seed++) {
    it(`holds its promises in row ${seed}`, () => {
      const configurations = new Configurations(seed)
      const bench = new Bench()
      bench.apply('base', { spec: { script: 'x' } })
      for (let step = 0; step < 25; step++) {
        const body = configurations.next()
        const manager = configurations.pick(managers)
        const before = bench.live
        let conflicted = false
        try {
          bench.apply(manager, body)
        } catch (err) {
          if (!hasReason(err, 'Conflict')) throw err
          conflicted = true
          assert.equal(bench.live, before)
          bench.apply(manager, body, { force: true })
        }
        assert.ok(says(bench.live, body), 'what was applied is there')
        assert.equal(bench.apply(manager, body), bench.live, 'applying it again changes nothing')
        if (!conflicted && before !== undefined) assertOthersKept(before, bench, manager)
        assertOwnedExists(bench)
        if (step % 3 === 0) updateByChance(bench, configurations)
      }
      for (const manager of managers) bench.apply(manager, {})
      bench.apply('base', { spec: { script: 'x' } })
      const left = Object.keys(bench.owners).filter((owner) => owner !== 'base/Apply' && owner !== 'edit/Update')
      assert.deepEqual(left, [])
    })
  }
})

/** An ordinary write conflicts with nobody, and an apply of the old value does afterwards. */
function updateByChance(bench: Bench, configurations: Configurations): void {
  const nice = configurations.pick([7, 8])
  bench.update('edit', { spec: { ...bench.spec, nice } })
  assert.equal(bench.spec.nice, nice)
  for (const manager of managers) {
    const fields = (bench.owners[`${manager}/Apply`] as Fields | undefined)?.['f:spec']
    assert.equal(isJsonObject(fields) && 'f:nice' in fields, false, 'taken over')
  }
  assert.throws(
    () => bench.apply('late', { spec: { nice: 9 } }),
    (err) => hasReason(err, 'Conflict'),
  )
}

/** Without force nothing that others own changes or goes. */
function assertOthersKept(before: object, bench: Bench, manager: string): void {
  const live = bench.live ?? {}
  for (const [owner, fields] of Object.entries(bench.owners)) {
    if (owner === `${manager}/Apply`) continue
    visit(fields, before, live, owner)
  }
}

/** Every owned field is in the object. */
function assertOwnedExists(bench: Bench): void {
  for (const [owner, fields] of Object.entries(bench.owners)) visit(fields, bench.live, bench.live, owner)
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
