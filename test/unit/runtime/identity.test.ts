import assert from 'node:assert/strict'
import { mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { epochOf, systemClock, timestampOf } from '../../../src/base/clock.ts'
import { type IdentityRequest, resolveIdentity } from '../../../src/runtime/identity.ts'
import { type Identity, StartError } from '../../../src/runtime/runtime.ts'

describe('users and groups', () => {
  const place = mkdtempSync(join(tmpdir(), 'pmk-identity-'))
  after(() => rmSync(place, { recursive: true }))
  writeFileSync(
    join(place, 'passwd'),
    'root:x:0:0:root:/root:/bin/bash\nweb:x:1001:1001:Web,,,:/srv/web:/bin/sh\nnohome:x:1002:1002:::\n# comment\n',
  )
  writeFileSync(join(place, 'group'), 'root:x:0:\nweb:x:1001:\nadm:x:4:syslog,web\nssl:x:110:web\n')

  const directory = new Map([
    ['passwd ldap', 'ldap:*:5001:5000:From afar:/home/ldap:/bin/zsh\n'],
    ['group team', 'team:*:5100:\n'],
    ['initgroups ldap', 'ldap                  5000 5100 5200\n'],
  ])
  const resolve = (request: IdentityRequest): Promise<Identity> =>
    resolveIdentity(request, {
      passwdFile: join(place, 'passwd'),
      groupFile: join(place, 'group'),
      clock: systemClock,
      lookUp: async (database, key) => directory.get(`${database} ${key}`),
    })

  test('a user of the file has its groups', async () => {
    const web = { uid: 1001, gid: 1001, supplementalGroups: [4, 110], user: 'web', home: '/srv/web', shell: '/bin/sh' }
    assert.deepEqual(await resolve({ user: 'web' }), web)
    assert.deepEqual(await resolve({ user: 1001 }), web)
    assert.deepEqual(await resolve({ user: '1001' }), web)
  })

  test('group and further groups are those asked for', async () => {
    const identity = await resolve({ user: 'web', group: 'adm', supplementalGroups: ['ssl', 4000] })
    assert.equal(identity.gid, 4)
    assert.deepEqual(identity.supplementalGroups, [4, 110, 4000])
  })

  test('a number that nobody has is taken as it is, with nothing', async () => {
    assert.deepEqual(await resolve({ user: 7777 }), {
      uid: 7777,
      gid: 7777,
      supplementalGroups: [],
      user: '7777',
      home: '/',
      shell: '/bin/sh',
    })
  })

  test('fields that are empty have the usual values', async () => {
    const { home, shell } = await resolve({ user: 'nohome' })
    assert.deepEqual([home, shell], ['/', '/bin/sh'])
  })

  test('who is not in the files is asked of the name service, groups included', async () => {
    assert.deepEqual(await resolve({ user: 'ldap', group: 'team' }), {
      uid: 5001,
      gid: 5100,
      supplementalGroups: [5000, 5100, 5200],
      user: 'ldap',
      home: '/home/ldap',
      shell: '/bin/zsh',
    })
  })

  test('a name that is nowhere is told', async () => {
    const isMissing = (name: string) => (err: unknown) =>
      err instanceof StartError && err.reason === 'UserNotFound' && err.message.includes(`"${name}"`)
    await assert.rejects(resolve({ user: 'nobody-there' }), isMissing('nobody-there'))
    await assert.rejects(resolve({ user: 'web', group: 'nowhere' }), isMissing('nowhere'))
    await assert.rejects(resolve({ user: 'web', supplementalGroups: ['nowhere'] }), isMissing('nowhere'))
  })

  test('a user who was added, renamed or removed is seen at the next look', async () => {
    const files = mkdtempSync(join(tmpdir(), 'pmk-identity-'))
    after(() => rmSync(files, { recursive: true }))
    const [passwdFile, groupFile] = [join(files, 'passwd'), join(files, 'group')]
    // An hour on: no file has changed just now, and all that is read is remembered.
    const clock = { ...systemClock, now: () => timestampOf(epochOf(systemClock.now()) + 3_600_000) }
    const home = async (user: string): Promise<string> => {
      const source = { passwdFile, groupFile, clock, lookUp: async () => undefined }
      return (await resolveIdentity({ user }, source)).home
    }
    await assert.rejects(home('web'), StartError)
    writeFileSync(passwdFile, 'web:x:1:1::/one:\n')
    assert.equal(await home('web'), '/one')
    assert.equal(await home('web'), '/one')
    writeFileSync(passwdFile, 'web:x:1:1::/three:\n')
    assert.equal(await home('web'), '/three')
    writeFileSync(`${passwdFile}+`, 'web:x:1:1::/other:\n')
    renameSync(`${passwdFile}+`, passwdFile)
    assert.equal(await home('web'), '/other')
    rmSync(passwdFile)
    await assert.rejects(home('web'), StartError)
  })

  test('a change that leaves size and time of the file as they were is seen when the file is new', async () => {
    const files = mkdtempSync(join(tmpdir(), 'pmk-identity-'))
    after(() => rmSync(files, { recursive: true }))
    const passwdFile = join(files, 'passwd')
    const source = { passwdFile, groupFile: join(files, 'group'), clock: systemClock, lookUp: async () => undefined }
    for (const home of ['/one', '/two', '/six']) {
      writeFileSync(passwdFile, `web:x:1:1::${home}:\n`)
      utimesSync(passwdFile, 1, 1)
      assert.equal((await resolveIdentity({ user: 'web' }, source)).home, home)
    }
  })
})
