import assert from 'node:assert/strict'
import nodeProcess from 'node:process'
import { test } from 'node:test'
import { ApiFuzzer } from '../support/api-fuzzer.ts'
import { ApiServerProcess } from '../support/api-server-process.ts'

// PMK_SEED=n replays a run. PMK_FUZZ_MINUTES=n goes on for longer (npm run fuzz).
const seed = Number(nodeProcess.env.PMK_SEED ?? Math.floor(Math.random() * 1e9))
const minutes = Number(nodeProcess.env.PMK_FUZZ_MINUTES ?? 0)
const CASES = 1_000

test(`whatever is asked, the API answers in form and stores only what is valid (seed ${seed})`, async (t) => {
  const server = await ApiServerProcess.start()
  try {
    const fuzzer = new ApiFuzzer(server, seed)
    const end = performance.now() + minutes * 60_000
    await fuzzer.run(() => (minutes > 0 ? performance.now() >= end : fuzzer.cases >= CASES))
    await fuzzer.deleteAll()
    const { requests, streams } = await server.ask()
    assert.deepEqual({ requests, streams }, { requests: 0, streams: 0 }, 'something is still counted as under way')
    const counts = [...fuzzer.counts].sort(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`)
    t.diagnostic(`seed ${seed}, ${fuzzer.cases} requests: ${counts.join(', ')}`)
    const share = (from: number, to: number): number =>
      [...fuzzer.counts].reduce((sum, [status, count]) => sum + (status >= from && status < to ? count : 0), 0) / fuzzer.cases
    assert.ok(share(200, 300) > 0.1, 'hardly anything succeeds: that tests little')
    assert.ok(share(400, 500) > 0.1, 'hardly anything is refused: that tests little')
  } finally {
    await server.stop()
  }
})
