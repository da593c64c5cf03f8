import assert from 'node:assert/strict'
import nodeProcess from 'node:process'
import { test } from 'node:test'
import { seededRandom } from '../../src/base/random.ts'
import { openLevelStore } from '../../src/storage/level-store.ts'
import type { KeyValue, Page, Revision, Store, StoreEvent } from '../../src/storage/store.ts'
import { isStoreError, StoreError } from '../../src/storage/store-error.ts'
import { eventually } from '../support/eventually.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { tempDir } from '../support/temp-dir.ts'

const PHASES = 12
const WRITERS = 8
const WRITES = 40
const PREFIXES = ['', 'a/', 'b/', 'a/1', 'c/']

const seed = Number(nodeProcess.env.PMK_TEST_SEED ?? Math.floor(Math.random() * 1e9))

test(`random writers, watchers, failures and restarts leave what the acknowledged writes say (seed ${seed})`, async () => {
  const { path, remove } = await tempDir()
  const world = new World(path, seed)
  try {
    await world.open()
    for (let phase = 0; phase < PHASES; phase++) await world.phase()
    await world.check()
  } finally {
    await world.end()
    await remove()
  }
})

interface Write {
  readonly key: string
  /** Undefined for a deletion. */
  readonly value: string | undefined
}

interface Watcher {
  readonly prefix: string
  readonly after: Revision
  readonly events: StoreEvent[]
}

class World {
  readonly #path: string
  readonly #random: () => number
  readonly #clock = new FakeClock()
  readonly #end = new AbortController()
  /** The model: every acknowledged write by its revision. */
  readonly #acknowledged = new Map<Revision, Write>()
  readonly #pages: Page[] = []
  readonly #watchers: Watcher[] = []
  readonly #watching: Promise<void>[] = []
  #store: Store | undefined
  #failing = false

  constructor(path: string, seed: number) {
    this.#path = path
    this.#random = seededRandom(seed)
  }

  async open(): Promise<void> {
    this.#store = await openLevelStore({
      path: this.#path,
      clock: this.#clock,
      batch: async (write, operations) => {
        const fate = this.#failing ? this.#random() : 1
        if (fate < 0.05) throw new Error('lost before the disk')
        await write(operations)
        if (fate < 0.1) throw new Error('lost after the disk')
      },
    })
  }

  /** Writers and readers at work, new watchers, and then perhaps a restart while all of them go on. */
  async phase(): Promise<void> {
    this.#failing = this.#random() < 0.6
    for (let n = 0; n < 3; n++) this.#watch()
    const work = [...Array.from({ length: WRITERS }, () => this.#write()), this.#read()]
    if (this.#random() < 0.3) {
      // In the middle of the writes. A disk that failed is repaired by then or by the start.
      this.#failing = false
      await this.#settle()
      await this.#restart()
    }
    await Promise.all(work)
    this.#failing = false
    await this.#settle()
    if (this.#random() < 0.5) await this.#restart()
    if (this.#random() < 0.3) await this.#compact()
  }

  async check(): Promise<void> {
    const store = this.#current()
    for (const { prefix, after, events } of this.#watchers) {
      const expected = [...this.#acknowledged]
        .filter(([revision, { key }]) => revision > after && key.startsWith(prefix))
        .sort(([a], [b]) => a - b)
      const seen = (): readonly (readonly [Revision, Write])[] =>
        events.flatMap((event) => (event.type === 'progress' ? [] : [seenIn(event)]))
      await eventually(() => assert.equal(seen().length >= expected.length, true, `a watcher of "${prefix}" has not seen all`))
      assert.deepEqual(seen(), expected, `a watcher of "${prefix}" from ${after}`)
      const revisions = events.map((event) => event.revision)
      assert.deepEqual(
        revisions,
        revisions.toSorted((a, b) => a - b),
        'progress is never ahead of an event',
      )
    }
    assert.deepEqual(contents(await store.range('')), this.#stateAt(store.revision()))
    for (const page of this.#pages) assert.deepEqual(contents(page), this.#stateAt(page.revision), `the page of revision ${page.revision}`)
  }

  async end(): Promise<void> {
    this.#end.abort()
    await Promise.all(this.#watching)
    await this.#store?.close()
  }

  #current(): Store {
    assert.ok(this.#store, 'the store is open')
    return this.#store
  }

  /** Until the disk takes a write again. */
  async #settle(): Promise<void> {
    await eventually(async () => {
      await this.#clock.advance(1_100)
      const kv = await this.#current().put(`settled/${this.#acknowledged.size}`, '', 0)
      this.#acknowledged.set(kv.modRevision, { key: kv.key, value: '' })
    })
  }

  async #restart(): Promise<void> {
    await this.#current().close()
    await this.open()
  }

  async #compact(): Promise<void> {
    // No further than what every watcher has read.
    const read = this.#watchers.map(({ after, events }) => events.at(-1)?.revision ?? after)
    await this.#current().compact(Math.min(this.#current().revision(), ...read))
  }

  async #write(): Promise<void> {
    for (let n = 0; n < WRITES; n++) {
      const key = `${this.#pick(['a', 'b', 'c'])}/${Math.floor(this.#random() * 20)}`
      try {
        const store = this.#current()
        const found = await store.get(key)
        // Now and then an expectation that is wrong.
        const expect = this.#random() < 0.1 ? Math.floor(this.#random() * store.revision()) : (found?.modRevision ?? 0)
        if (this.#random() < 0.3) {
          this.#acknowledge(await store.delete(key, expect), { key, value: undefined })
        } else {
          const value = String(this.#random())
          this.#acknowledge((await store.put(key, value, expect)).modRevision, { key, value })
        }
      } catch (err) {
        assert.ok(isStoreError(err, 'Conflict') || isStoreError(err, 'Unavailable') || isStoreError(err, 'Closed'), String(err))
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
  }

  #acknowledge(revision: Revision, write: Write): void {
    assert.equal(this.#acknowledged.has(revision), false, `revision ${revision} is given twice`)
    this.#acknowledged.set(revision, write)
  }

  /** Snapshots in small pages, while everything changes. */
  async #read(): Promise<void> {
    for (let n = 0; n < 3; n++) {
      try {
        const store = this.#current()
        const items: KeyValue[] = []
        let page = await store.range('', { limit: 7 })
        for (items.push(...page.items); page.next !== undefined; items.push(...page.items)) {
          await new Promise((resolve) => setImmediate(resolve))
          page = await store.range('', { limit: 7, after: page.next, revision: page.revision })
        }
        this.#pages.push({ items, revision: page.revision, remaining: 0 })
      } catch (err) {
        assert.ok(isStoreError(err, 'Closed'), String(err))
      }
    }
  }

  #watch(): void {
    const watcher = { prefix: this.#pick(PREFIXES), after: this.#current().revision(), events: [] }
    this.#watchers.push(watcher)
    this.#watching.push(this.#follow(watcher))
  }

  /** As a client does: after each end it resumes from the last revision it was given. */
  async #follow({ prefix, after, events }: Watcher): Promise<void> {
    while (!this.#end.signal.aborted) {
      try {
        for await (const event of this.#current().watch(prefix, events.at(-1)?.revision ?? after, this.#end.signal)) events.push(event)
      } catch (err) {
        assert.ok(err instanceof StoreError && ['Closed', 'Unavailable', 'Slow'].includes(err.code), String(err))
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
  }

  #stateAt(revision: Revision): ReadonlyMap<string, string> {
    const state = new Map<string, string>()
    for (const [at, { key, value }] of [...this.#acknowledged].sort(([a], [b]) => a - b)) {
      if (at > revision) break
      if (value === undefined) state.delete(key)
      else state.set(key, value)
    }
    return state
  }

  #pick(choices: readonly string[]): string {
    return choices[Math.floor(this.#random() * choices.length)] ?? ''
  }
}

function seenIn(event: Exclude<StoreEvent, { readonly type: 'progress' }>): readonly [Revision, Write] {
  if (event.type === 'delete') return [event.revision, { key: event.prev.key, value: undefined }]
  return [event.revision, { key: event.kv.key, value: event.kv.value }]
}

function contents(page: Page): ReadonlyMap<string, string> {
  return new Map(page.items.map((kv) => [kv.key, kv.value]))
}
