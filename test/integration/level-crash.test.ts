import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import nodeProcess from 'node:process'
import { describe, test } from 'node:test'
import { systemClock } from '../../src/base/clock.ts'
import { seededRandom } from '../../src/base/random.ts'
import { openLevelStore } from '../../src/storage/level-store.ts'
import type { Revision } from '../../src/storage/store.ts'
import { firstEvents } from '../conformance/store.ts'
import { sourceProgram } from '../support/source-program.ts'
import { tempDir } from '../support/temp-dir.ts'

/** Two stores at once, since most of a round is the start of Node. */
const STORES = 2
const ROUNDS = 15
const MOST_WRITES = 500

describe('a server that is killed in the middle of writes', { concurrency: STORES }, () => {
  for (let n = 0; n < STORES; n++) {
    const seed = Number(nodeProcess.env.PMK_TEST_SEED ?? Math.floor(Math.random() * 1e9)) + n
    test(`loses no acknowledged write in ${ROUNDS} rounds (seed ${seed})`, () => crashAndCheck(seed))
  }
})

async function crashAndCheck(seed: number): Promise<void> {
  const random = seededRandom(seed)
  const { path, remove } = await tempDir()
  const known: Known = { revision: 1, values: new Map() }
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const acknowledged = await writeAndKill(path, { seed: seed + round, writes: 1 + Math.floor(random() * MOST_WRITES) })
      await check(path, known, acknowledged)
    }
  } finally {
    await remove()
  }
}

interface Known {
  /** Where the store was at the end of the round before. */
  revision: Revision
  readonly values: Map<string, string>
}

interface Acknowledged {
  readonly revision: Revision
  readonly key: string
  readonly value: string | undefined
}

/** Lets a server write until it has acknowledged so many writes, and kills it then. */
async function writeAndKill(path: string, options: { readonly seed: number; readonly writes: number }): Promise<readonly Acknowledged[]> {
  const child = spawn(nodeProcess.execPath, [sourceProgram('test/fixtures/store-writer.ts'), path, String(options.seed)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  try {
    const errors: string[] = []
    child.stderr.setEncoding('utf8').on('data', (text: string) => errors.push(text))
    let output = ''
    let lines = 0
    for await (const text of child.stdout.setEncoding('utf8')) {
      output += text
      lines += String(text).split('\n').length - 1
      if (lines >= options.writes) child.kill('SIGKILL')
    }
    await ended(child)
    assert.equal(child.signalCode, 'SIGKILL', errors.join(''))
    // A line without its end was cut off by the kill; whatever else it is, it is no acknowledgement.
    return output
      .slice(0, output.lastIndexOf('\n'))
      .split('\n')
      .map((line) => {
        const [revision = '', key = '', value] = line.split(' ')
        return { revision: Number(revision), key, value }
      })
  } finally {
    child.kill('SIGKILL')
    await ended(child)
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}

async function check(path: string, known: Known, acknowledged: readonly Acknowledged[]): Promise<void> {
  const store = await openLevelStore({ path, clock: systemClock })
  try {
    const revision = store.revision()
    const events = revision === known.revision ? [] : await firstEvents(store, '', known.revision, revision - known.revision)
    assert.deepEqual(
      events.map((event) => event.revision),
      Array.from({ length: revision - known.revision }, (_, n) => known.revision + 1 + n),
      'the history of the round has each revision once',
    )
    const history = new Map<Revision, Acknowledged>()
    for (const event of events) {
      if (event.type === 'progress') continue
      const { key } = event.type === 'put' ? event.kv : event.prev
      const value = event.type === 'put' ? event.kv.value : undefined
      assert.equal(event.prev?.value, known.values.get(key), `what revision ${event.revision} found in ${key}`)
      if (value === undefined) known.values.delete(key)
      else known.values.set(key, value)
      history.set(event.revision, { revision: event.revision, key, value })
    }
    for (const write of acknowledged)
      assert.deepEqual(history.get(write.revision), write, 'an acknowledged write is in the history of its round')
    assert.equal(new Set(acknowledged.map((write) => write.revision)).size, acknowledged.length, 'no revision is given twice')
    const { items } = await store.range('')
    assert.deepEqual(new Map(items.map((kv) => [kv.key, kv.value])), known.values, 'the keys are what the history made them')
    known.revision = revision
  } finally {
    await store.close()
  }
}
