import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CliError } from '../../../src/cli/cli-error.ts'
import { followedDirectories, manifestsWords } from '../../../src/cli/manifests-flag.ts'
import { sourceNameOf } from '../../../src/gitops/source-name.ts'

const names: readonly (readonly [directory: string, name: string | undefined])[] = [
  ['/etc/pmk/manifests', 'manifests'],
  ['/srv/My_Host.d', 'my-host-d'],
  ['/srv/--x--', 'x'],
  ['/srv/äöü', undefined],
  ['/', undefined],
  [`/srv/${'a'.repeat(62)}.b`, 'a'.repeat(62)],
]
for (const [directory, name] of names) {
  test(`the source of ${directory} is called ${name ?? 'by a name that somebody has to give'}`, () =>
    assert.equal(sourceNameOf(directory), name))
}

test('a directory of --manifests is absolute, and has the name of its own or the one that is given', () => {
  assert.deepEqual(followedDirectories(['here', '/srv/a=b', 'web=x/y', 'Web=z'], '/home/me'), [
    { name: 'here', path: '/home/me/here' },
    { name: 'a-b', path: '/srv/a=b' },
    { name: 'web', path: '/home/me/x/y' },
    { name: 'web-z', path: '/home/me/Web=z' },
  ])
  // A name is no directory.
  assert.deepEqual(followedDirectories(['./a=b'], '/home/me'), [{ name: 'a-b', path: '/home/me/a=b' }])
})

test('the words that pass --manifests on mean the same from everywhere', () => {
  const directories = followedDirectories(['here', 'web=/x=y'], '/home/me')
  assert.deepEqual(manifestsWords(directories), ['--manifests=here=/home/me/here', '--manifests=web=/x=y'])
  const again = manifestsWords(directories).map((word) => word.replace('--manifests=', ''))
  assert.deepEqual(followedDirectories(again, '/'), directories)
})

test('directories that would share a name are refused, and so is none', () => {
  const refusal = (texts: readonly string[]): string => {
    try {
      followedDirectories(texts, '/home')
    } catch (err) {
      if (err instanceof CliError) return err.message
      throw err
    }
    return ''
  }
  assert.match(refusal(['a/x', 'b/x']), /\/home\/a\/x and \/home\/b\/x would both be called x; .*--manifests NAME=\/home\/b\/x/)
  assert.match(refusal(['/']), /--manifests NAME=\//)
  assert.match(refusal(['']), /needs a directory/)
})
