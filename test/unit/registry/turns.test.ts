import assert from 'node:assert/strict'
import test from 'node:test'
import { Turns } from '../../../src/registry/turns.ts'
import { settle } from '../../support/fake-clock.ts'

test('changes of one key follow one another in the order in which they came, those of others go on beside them', async () => {
  const turns = new Turns()
  const said: string[] = []
  const gates = new Map<string, () => void>()
  const change = (name: string) => async (): Promise<string> => {
    said.push(`${name} begins`)
    await new Promise<void>((resolve) => gates.set(name, resolve))
    said.push(`${name} ends`)
    return name
  }
  const results = [turns.take('a', change('one')), turns.take('a', change('two')), turns.take('b', change('other'))]
  await settle()
  assert.deepEqual(said, ['one begins', 'other begins'])
  gates.get('one')?.()
  await settle()
  assert.deepEqual(said, ['one begins', 'other begins', 'one ends', 'two begins'])
  gates.get('two')?.()
  gates.get('other')?.()
  assert.deepEqual(await Promise.all(results), ['one', 'two', 'other'])
  assert.equal(turns.size, 0)
})

test('a failure is told to the one whose turn it was, and the next goes on', async () => {
  const turns = new Turns()
  const failing = turns.take('a', async () => {
    throw new Error('mine')
  })
  const next = turns.take('a', async () => 'fine')
  await assert.rejects(failing, /mine/)
  assert.equal(await next, 'fine')
  assert.equal(turns.size, 0)
})
