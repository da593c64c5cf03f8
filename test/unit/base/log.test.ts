import { closeSync, openSync } from 'node:fs'
import { test } from 'node:test'
import { createLogger } from '../../../src/base/log.ts'

test('a log without room for its lines ends nobody', async () => {
  const fd = openSync('/dev/full', 'a')
  try {
    const log = createLogger({ level: 'info', fd })
    for (let n = 0; n < 10_000; n++) log.info({ n }, 'a line that does not fit')
    // What goes wrong with a stream may come as an event later.
    await new Promise((resolve) => setImmediate(resolve))
  } finally {
    closeSync(fd)
  }
})
