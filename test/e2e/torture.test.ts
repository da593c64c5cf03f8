import assert from 'node:assert/strict'
import { test } from 'node:test'
import { missing } from '../support/pmk.ts'
import type { Disk } from '../torture/place.ts'
import { torture } from '../torture/torture.ts'

// The short form of `npm run torture`, see test/torture/README.md: two minutes in all, one world after another.
const WORLDS: readonly { readonly seed: number; readonly disk: Disk }[] = [
  { seed: 1, disk: 'ext4' },
  { seed: 2, disk: 'tmpfs' },
]
/** No round is begun after so long. */
const LENGTH = 50_000

for (const { seed, disk } of WORLDS) {
  test(`what pmk promises holds while everything is killed and the disk fills up (seed ${seed})`, {
    skip: missing('perl'),
    timeout: 300_000,
  }, async (context) => {
    const { signal } = context
    const { figures, broken } = await torture({ seed, disk, length: LENGTH, signal, say: (line) => context.diagnostic(line) })
    for (const line of String(figures).split('\n')) context.diagnostic(line)
    assert.equal(broken, undefined, broken)
    assert.ok(figures.rounds >= 2, `only ${figures.rounds} rounds in ${LENGTH} ms`)
    assert.ok(figures.serverKills > 0, 'no server was killed')
  })
}
