import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { DocumentReader } from '../../../src/gitops/documents.ts'

const TEXT =
  'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: b\ndata:\n  key: $' +
  '{value}\n'

test('the line of a field is known long after its file was parsed', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const snapshot = { revision: 'one', files: [{ path: 'a.yaml', text: TEXT }], problems: [], notes: [] }
  const variables = { secrets: new Set<string>(), digest: 'v', values: new Map([['value', 'x']]) }
  const { signal } = new AbortController()
  const { placed } = await new DocumentReader().read(snapshot, { namespace: 'default', variables, signal })
  for (let n = 0; n < 3; n++) {
    // What is held weakly lives until the end of a turn.
    await new Promise((resolve) => setImmediate(resolve))
    collect()
    const found = placed.map(({ manifest: { name, origin } }) => `${name} ${origin.file}:${origin.line} ${origin.lineOf('data.key')}`)
    assert.deepEqual(found, ['a a.yaml:1 1', 'b a.yaml:5 10'])
  }
})
