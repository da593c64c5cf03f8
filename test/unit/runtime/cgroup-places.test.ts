import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { cgroupPlaces, controllersOfV1, ownCgroup, ownDirectory, parseCgroup2Mounts } from '../../../src/runtime/cgroup-places.ts'

const PURE = '30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate'
const HYBRID = [
  '25 30 0:23 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755',
  '26 25 0:24 / /sys/fs/cgroup/unified rw,nosuid shared:4 - cgroup2 cgroup2 rw',
  '27 25 0:25 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu',
].join('\n')
const READ_ONLY = '30 23 0:26 / /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw'
const PART = '30 23 0:26 /machine/one /sys/fs/cgroup rw - cgroup2 cgroup rw'
const BUSY = 'the server has no leaf of its own in its service: systemd makes one from version 254 on (DelegateSubgroup)'

describe('places for cgroups', () => {
  const cases: {
    readonly title: string
    readonly mountinfo: string
    readonly self: string
    readonly isRoot: boolean
    readonly places: readonly (string | readonly [string, string])[]
  }[] = [
    {
      title: 'root from a login session: the root of the hierarchy, for a session ends',
      mountinfo: PURE,
      self: '0::/user.slice/user-0.slice/session-3.scope\n',
      isRoot: true,
      places: ['/sys/fs/cgroup', '/sys/fs/cgroup/user.slice/user-0.slice/session-3.scope', '/sys/fs/cgroup/user.slice/user-0.slice'],
    },
    {
      title: 'root on a hybrid host: the unified hierarchy',
      mountinfo: HYBRID,
      self: '4:memory:/a\n1:name=systemd:/\n0::/\n',
      isRoot: true,
      places: ['/sys/fs/cgroup/unified'],
    },
    {
      title: 'a service whose server has a leaf of its own: the service',
      mountinfo: PURE,
      self: '0::/system.slice/pmk.service/server\n',
      isRoot: true,
      places: ['/sys/fs/cgroup/system.slice/pmk.service'],
    },
    {
      title: 'root in a service without such a leaf: beside all services, or, without controllers, inside',
      mountinfo: PURE,
      self: '0::/system.slice/pmk.service\n',
      isRoot: true,
      places: ['/sys/fs/cgroup', ['/sys/fs/cgroup/system.slice/pmk.service', BUSY]],
    },
    {
      title: 'a service of an ordinary user without such a leaf: inside, without controllers',
      mountinfo: PURE,
      self: '0::/system.slice/pmk.service\n',
      isRoot: false,
      places: [['/sys/fs/cgroup/system.slice/pmk.service', BUSY]],
    },
    {
      title: "a service of a user's own manager: beside its services, or, without controllers, inside",
      mountinfo: PURE,
      self: '0::/user.slice/user-1000.slice/user@1000.service/app.slice/pmk.service\n',
      isRoot: false,
      places: [
        '/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service',
        ['/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/pmk.service', BUSY],
      ],
    },
    {
      title: "the same with a leaf: the user's service",
      mountinfo: PURE,
      self: '0::/user.slice/user-1000.slice/user@1000.service/app.slice/pmk.service/server\n',
      isRoot: false,
      places: ['/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/pmk.service'],
    },
    {
      title: 'an ordinary user: its own group or the one above',
      mountinfo: PURE,
      self: '0::/delegated/shell\n',
      isRoot: false,
      places: ['/sys/fs/cgroup/delegated/shell', '/sys/fs/cgroup/delegated'],
    },
    {
      title: 'a server that moved into a leaf before: the group that it left',
      mountinfo: PURE,
      self: '0::/delegated/pmk-server\n',
      isRoot: false,
      places: ['/sys/fs/cgroup/delegated', '/sys/fs/cgroup'],
    },
    { title: 'a container with a namespace of its own', mountinfo: PURE, self: '0::/\n', isRoot: true, places: ['/sys/fs/cgroup'] },
    {
      title: 'only a part is mounted, and the server is in it',
      mountinfo: PART,
      self: '0::/machine/one/shell\n',
      isRoot: true,
      places: ['/sys/fs/cgroup', '/sys/fs/cgroup/shell'],
    },
    { title: 'only a part is mounted, elsewhere', mountinfo: PART, self: '0::/other/x\n', isRoot: true, places: ['/sys/fs/cgroup'] },
    { title: 'mounted read-only', mountinfo: READ_ONLY, self: '0::/a.service/server\n', isRoot: true, places: [] },
    { title: 'v1 only', mountinfo: HYBRID.split('\n')[2] ?? '', self: '4:memory:/\n', isRoot: true, places: [] },
    { title: 'not mounted, yet known', mountinfo: '', self: '0::/a\n', isRoot: true, places: [] },
  ]
  for (const { title, mountinfo, self, isRoot, places } of cases) {
    test(title, () => {
      const found = cgroupPlaces({ mountinfo, self, isRoot })
      assert.deepEqual(
        found.map(({ path, noControllers }) => (noControllers === undefined ? path : [path, noControllers])),
        places,
      )
    })
  }

  test('cgroup2 mounts are told from others, with blanks in their names', () => {
    const own = '28 25 0:26 / /mnt/my\\040own rw - cgroup2 none rw'
    assert.deepEqual(parseCgroup2Mounts(`${HYBRID}\n${own}\n`), [
      { path: '/sys/fs/cgroup/unified', root: '/' },
      { path: '/mnt/my own', root: '/' },
    ])
  })

  test('the own group is that of cgroup2, also when it was removed', () => {
    assert.equal(ownCgroup('5:memory:/a\n0::/b c (deleted)\n'), '/b c')
    assert.equal(ownCgroup('5:memory:/a\n'), undefined)
    assert.equal(ownDirectory({ mountinfo: PART, self: '0::/machine/one/x\n', isRoot: true }), '/sys/fs/cgroup/x')
    assert.equal(ownDirectory({ mountinfo: PART, self: '0::/machine/two\n', isRoot: true }), undefined)
  })

  test('controllers that cgroup v1 holds are told', () => {
    const held = controllersOfV1('12:cpu,cpuacct:/\n4:memory:/x\n1:name=systemd:/\n0::/\n')
    assert.deepEqual(
      ['cpu', 'memory', 'pids'].map((controller) => held.has(controller)),
      [true, true, false],
    )
  })
})
