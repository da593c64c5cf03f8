import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectionsFor, openFilesLimit } from '../../../src/app/open-files.ts'

test('connections take at most half of the files that may be open, so that programs can still be started', () => {
  const limits =
    'Limit                     Soft Limit           Hard Limit           Units     \nMax open files            1024                 4096                 files     \n'
  assert.equal(openFilesLimit(limits), 1024)
  assert.equal(connectionsFor(1024, 6_000), 512)
  assert.equal(connectionsFor(openFilesLimit('Max open files            unlimited            unlimited            files'), 6_000), 6_000)
  assert.ok(openFilesLimit() > 0)
})
