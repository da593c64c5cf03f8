import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type MountRequest, mountWords, planMounts } from '../../../src/runtime/mount-plan.ts'
import { parseMounts, visibleMounts } from '../../../src/runtime/mount-table.ts'

const TABLE = `20 1 8:1 / / rw,relatime - ext4 /dev/sda rw
21 20 0:1 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
22 20 8:2 / /srv rw,nosuid,noatime - xfs /dev/sdb rw
23 22 8:3 / /srv/a\\040b ro,relatime - ext4 /dev/sdc rw
24 22 8:4 / /srv/deep rw,relatime - ext4 /dev/sdd rw
`
const covers = { directory: '/lib/hidden/directory', file: '/lib/hidden/file' }
const mounts = visibleMounts(parseMounts(TABLE))

interface Row {
  readonly given: string
  readonly request: Partial<MountRequest>
  readonly steps: readonly string[]
  readonly checks: readonly string[]
}
const rows: readonly Row[] = [
  {
    given: 'a directory within a mount becomes one, with the options of the one around it',
    request: { readOnlyPaths: ['/srv/www'] },
    steps: ['rbind /srv/www /srv/www', 'remount,bind,ro,nosuid,noatime none /srv/www'],
    checks: ['ro /srv/www'],
  },
  {
    given: 'mounts below are closed too, those that are read-only anyway need nothing',
    request: { readOnlyPaths: ['/srv'] },
    steps: ['remount,bind,ro,nosuid,noatime none /srv', 'remount,bind,ro,relatime none /srv/deep'],
    checks: ['ro /srv', 'ro? /srv/a b', 'ro? /srv/deep'],
  },
  {
    given: 'of two paths the deeper one decides',
    request: { readOnlyPaths: ['/srv', '/srv/www/private'], writablePaths: ['/srv/www', '/srv/deep'] },
    steps: [
      'rbind /srv/www /srv/www',
      'rbind /srv/www/private /srv/www/private',
      'remount,bind,ro,nosuid,noatime none /srv',
      'remount,bind,ro,nosuid,noatime none /srv/www/private',
    ],
    checks: ['there /srv/www', 'ro /srv', 'ro /srv/www/private', 'ro? /srv/a b'],
  },
  { given: 'what is writable anyway needs nothing', request: { writablePaths: ['/home', '/srv'] }, steps: [], checks: [] },
  {
    given: 'the same path both ways is writable',
    request: { readOnlyPaths: ['/home'], writablePaths: ['/home'] },
    steps: [],
    checks: [],
  },
  {
    given: 'what is hidden is hidden with all below it',
    request: {
      readOnlyPaths: ['/srv/deep/x'],
      hiddenPaths: [
        { path: '/srv/deep/x/y', isDirectory: false },
        { path: '/srv/deep', isDirectory: true },
        { path: '/etc/shadow', isDirectory: false },
      ],
    },
    steps: ['bind,ro,nosuid,nodev,noexec /lib/hidden/directory /srv/deep', 'bind,ro,nosuid,nodev,noexec /lib/hidden/file /etc/shadow'],
    checks: ['ro /srv/deep', 'ro /etc/shadow'],
  },
  {
    given: 'a private directory stays writable in a closed file system, and rules below it are void',
    request: { readOnlyPaths: ['/srv', '/srv/deep/x'], privatePaths: new Map([['/srv/deep', '/lib/own']]) },
    steps: ['bind,nosuid,nodev /lib/own /srv/deep', 'remount,bind,ro,nosuid,noatime none /srv'],
    checks: ['there /srv/deep', 'ro /srv', 'ro? /srv/a b'],
  },
]

describe('mounts of a program', () => {
  for (const { given, request, steps, checks } of rows) {
    test(given, () => {
      const whole = { readOnlyPaths: [], writablePaths: [], hiddenPaths: [], privatePaths: new Map<string, string>(), ...request }
      const plan = planMounts(whole, mounts, covers)
      assert.deepEqual(
        plan.steps.map(({ options, source, target }) => `${options} ${source} ${target}`),
        steps,
      )
      assert.deepEqual(
        plan.checks.map(({ expect, path }) => `${expect} ${path}`),
        checks,
      )
    })
  }

  test('sources are held open, for a step may cover them, and places are named as the kernel names them', () => {
    const privatePaths = new Map([['/a b', '/lib/own']])
    const plan = planMounts({ readOnlyPaths: [], writablePaths: [], hiddenPaths: [], privatePaths }, mounts, covers)
    assert.deepEqual(mountWords(plan), [
      ...['/lib/own', '/dev/null', '/dev/null', '/dev/null'],
      ...['must', 'bind,nosuid,nodev', '/proc/self/fd/5', '/a b'],
      ...['checks', 'there', '/a\\040b'],
    ])
  })

  test('mounts that no path leads to are left out', () => {
    const more = `${TABLE}30 22 8:5 / /srv/deep/lost rw - ext4 x rw
31 24 8:6 / /srv/deep/below rw - ext4 x rw
32 24 8:7 / /srv/deep rw,nodev - ext4 x rw
33 32 8:8 / /srv/deep/above rw - ext4 x rw
`
    const places = visibleMounts(parseMounts(more)).map(({ id, at }) => `${id} ${at}`)
    assert.deepEqual(places, ['20 /', '21 /proc', '22 /srv', '23 /srv/a b', '32 /srv/deep', '33 /srv/deep/above'])
  })
})
