import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLogger } from '../../../src/base/log.ts'
import { readableLine } from '../../../src/base/log-line.ts'

test('a line of the log is shown with its time of day, level, message and fields', () => {
  const lines: string[] = []
  const log = createLogger({ level: 'debug', write: (line) => lines.push(readableLine(line)) })
  log.child({ part: 'agent' }).warn({ instance: 'web-0', tries: 3, text: 'two words' }, 'Status could not be written')
  log.error({ err: new Error('disk full') }, 'Write failed')
  log.info({}, 'Server is listening')
  assert.match(
    lines[0] ?? '',
    /^\d\d:\d\d:\d\d\.\d{3} WARN {2}Status could not be written {2}part=agent instance=web-0 tries=3 text="two words"\n$/,
  )
  assert.match(lines[1] ?? '', /ERROR Write failed {2}err="disk full"\n$/)
  assert.match(lines[2] ?? '', /INFO {2}Server is listening\n$/)
})

test('what is no line of the log stays as it is', () => {
  assert.equal(readableLine('Killed\n'), 'Killed\n')
})
