import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ManifestSource } from '../../../src/generated/types.ts'
import { manifestSourceStrategy } from '../../../src/registry/manifest-source-strategy.ts'

function causesOf(spec: object): readonly string[] {
  const source = {
    apiVersion: 'pmk.dev/v1',
    kind: 'ManifestSource',
    metadata: { name: 'a', namespace: 'default' },
    spec: { interval: '1m', timeout: '5m', ...spec },
  } as unknown as ManifestSource
  return (manifestSourceStrategy.validate?.(source, undefined as never) ?? []).map(({ field, message }) => `${field}: ${message}`)
}

function git(reference: object): readonly string[] {
  return causesOf({ git: { url: 'https://example.com/a.git', ref: {}, path: '', ...reference } })
}

describe('addresses of repositories', () => {
  const good = [
    'https://example.com/a.git',
    'https://example.com:8443/a/b%20c',
    'ssh://git@example.com:2222/a.git',
    'ssh://example.com/a.git',
    'git@example.com:a/b.git',
    'example.com:a.git',
    'file:///srv/a.git',
    'file:///srv/with%20space',
  ]
  for (const url of good) test(`${url} is one`, () => assert.deepEqual(git({ url }), []))

  const bad: readonly (readonly [string, RegExp])[] = [
    ['', /must begin with/],
    ['/srv/a.git', /must begin with https:\/\/, ssh:\/\/ or file:\/\//],
    ['./a.git', /must begin with/],
    ['../a.git', /must begin with/],
    ['a.git', /must begin with/],
    ['http://example.com/a.git', /must begin with/],
    ['git://example.com/a.git', /must begin with/],
    ['HTTPS://example.com/a.git', /must begin with/],
    ['ftp://example.com/a.git', /must begin with/],
    ['ext::sh -c true', /is no address/],
    ['ext::sh', /must begin with/],
    ['fd::17/x', /must begin with/],
    ['-oProxyCommand=x:y', /is no address/],
    ['--upload-pack=x', /is no address/],
    ['git@-oProxyCommand=x:a', /must begin with/],
    ['git@host:-a', /must begin with/],
    ['git@host::a', /must begin with/],
    ['ssh://-oProxyCommand=x/a', /./],
    ['ssh:///a', /./],
    ['https://', /./],
    ['https://example.com/a b', /is no address/],
    ['https://example.com/a\nb', /is no address/],
    ['https://example.com/\u001b[31m', /is no address/],
    ['file://host/a.git', /has no host/],
    ['file://localhost/a.git', /has no host/],
    ['file:////a.git', /has no host/],
    ['file:///', /has no host/],
    ['file:///a%zz', /./],
    ['file:///a%00', /./],
  ]
  for (const [url, expected] of bad)
    test(`${JSON.stringify(url)} is none`, () => {
      const causes = git({ url })
      assert.equal(causes.length, 1, JSON.stringify(causes))
      assert.match(causes[0] ?? '', /^spec\.git\.url: Invalid value/)
      assert.match(causes[0] ?? '', expected)
    })

  const secret = [
    'https://ada:hunter2@example.com/a.git',
    'https://hunter2@example.com/a.git',
    'https://ada:hun/hunter2@example.com/a.git',
    'https://ada:hun@hunter2@example.com/a.git',
    'https://ada:hunter2 @example.com/a.git',
    'ssh://ada:hunter2@example.com/a.git',
    'http://ada:hunter2@example.com/a.git',
    'HTTPS://ada:hunter2@example.com/a.git',
    'ada:hunter2@example.com/a.git',
    'ada:hunter2@example.com:a.git',
    'file://ada:hunter2@host/a.git',
  ]
  for (const url of secret)
    test(`${url} is refused without repeating what is secret of it`, () => {
      const causes = git({ url }).join('\n')
      assert.match(causes, /spec\.git\.url/)
      assert.doesNotMatch(causes, /hunter2/)
    })
})

describe('what of a repository', () => {
  const good = [{}, { branch: 'main' }, { branch: 'feature/x.y' }, { tag: 'v1.2.3' }, { commit: 'a'.repeat(40) }]
  for (const ref of good) test(`${JSON.stringify(ref)} is fine`, () => assert.deepEqual(git({ ref }), []))

  const names = [
    '',
    '-x',
    '/x',
    'x/',
    'a//b',
    'a..b',
    'a b',
    'a~1',
    'a^',
    'a:b',
    'a?',
    'a*',
    'a[b',
    'a\\b',
    '@',
    'a@{1}',
    '.a',
    'a/.b',
    'a.lock',
    'a/b.lock/c',
    'a.',
    'a\nb',
  ]
  for (const name of names) {
    test(`${JSON.stringify(name)} names no branch and no tag`, () => {
      assert.match(git({ ref: { branch: name } }).join(), /^spec\.git\.ref\.branch: Invalid value/)
      assert.match(git({ ref: { tag: name } }).join(), /^spec\.git\.ref\.tag: Invalid value/)
    })
  }

  test('two at once are one too many, and so are a directory and a repository, or neither', () => {
    assert.match(git({ ref: { branch: 'a', tag: 'b' } }).join(), /^spec\.git\.ref\.tag: Forbidden: branch is given, too/)
    assert.match(causesOf({}).join(), /^spec\.path: Required value/)
    assert.match(causesOf({ path: '/srv', git: { url: 'https://example.com/a.git', ref: {}, path: '' } }).join(), /^spec\.git: Forbidden/)
  })

  test('its directory lies in it', () => {
    for (const path of ['', 'a', 'a/b', './a/', 'a..b']) assert.deepEqual(git({ path }), [], path)
    for (const path of ['/a', '..', '../a', 'a/../..', 'a/..']) assert.match(git({ path }).join(), /^spec\.git\.path: Invalid value/, path)
  })
})
