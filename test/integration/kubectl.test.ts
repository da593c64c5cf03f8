import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { applying } from '../kubectl/applying.ts'
import { asking } from '../kubectl/asking.ts'
import { ending } from '../kubectl/ending.ts'
import { type Cache, KubectlLane } from '../kubectl/lane.ts'
import { findKubectl, MINORS } from '../kubectl/programs.ts'
import { reading } from '../kubectl/reading.ts'
import { writing } from '../kubectl/writing.ts'

/** More at once than cores: a part of the commands wait for something most of the time. */
const AT_ONCE = 3

const rows = [...reading, ...applying, ...writing, ...ending, ...asking]

/** What commands printed that print the same for all, by the first that ran them. */
const printedFirst = new Map<string, string>()

describe('kubectl', { concurrency: AT_ONCE }, () => {
  for (const minor of MINORS) {
    const program = findKubectl(minor)
    const skip = program === undefined && `there is no kubectl 1.${minor} on this machine`
    for (const cache of ['cold', 'warm'] satisfies Cache[]) {
      test(`1.${minor}, with a ${cache} cache`, { skip }, async (t) => {
        if (program === undefined) return
        const lane = await KubectlLane.start(program, cache)
        t.after(() => lane.stop())
        for (const row of rows) {
          if (minor < (row.from ?? 0) || minor > (row.to ?? Number.POSITIVE_INFINITY)) continue
          await t.test(row.run, async () => {
            const printed = await lane.check(row)
            if (row.same !== true) return
            const first = printedFirst.get(row.run) ?? printed
            printedFirst.set(row.run, first)
            assert.equal(printed, first)
          })
        }
      })
    }
  }
})
