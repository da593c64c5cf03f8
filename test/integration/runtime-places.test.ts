import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import nodeProcess from 'node:process'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseCgroup2Mounts } from '../../src/runtime/cgroup-places.ts'
import { eventually } from '../support/eventually.ts'

const repository = fileURLToPath(new URL('../..', import.meta.url))
const [mount] = parseCgroup2Mounts(readFileSync('/proc/self/mountinfo', 'utf8'))
const isRoot = nodeProcess.getuid?.() === 0
const skip = isRoot && mount !== undefined ? {} : { skip: 'NOT TESTED HERE: needs root and a cgroup2 hierarchy that can be written to' }
const NOBODY = 65_534

interface Seen {
  readonly bases: readonly string[]
  readonly isInside: boolean
  readonly mounts: number
  readonly gaps: readonly string[]
}

/** Runs the fixture after this shell text, in mounts of its own. */
function seenAfter(prologue: string, command = ''): readonly [Seen, Seen] {
  const dataDir = mkdtempSync(join(tmpdir(), 'pmk-place-'))
  chownSync(dataDir, command === '' ? 0 : NOBODY, command === '' ? 0 : NOBODY)
  try {
    const node = `${command} "${nodeProcess.execPath}" --import tsx test/fixtures/runtime-place.ts "${dataDir}"`
    const text = execFileSync('unshare', ['-m', '--propagation', 'private', 'sh', '-ec', `${prologue}\nexec ${node}`], {
      cwd: repository,
      encoding: 'utf8',
      timeout: 60_000,
      env: { PATH: nodeProcess.env.PATH, TMPDIR: tmpdir(), ...(command === '' ? {} : { HOME: dataDir, TSX_DISABLE_CACHE: '1' }) },
    })
    return JSON.parse(text) as readonly [Seen, Seen]
  } finally {
    rmSync(dataDir, { recursive: true })
  }
}

const point = mount?.path ?? ''

describe('groups lie', skip, () => {
  test('in the hierarchy that is there', () => {
    for (const seen of seenAfter(':')) {
      assert.deepEqual(seen.bases, [point])
      assert.equal(seen.isInside, true)
      assert.ok(!seen.gaps.includes('processTree') && !seen.gaps.includes('pause'), String(seen.gaps))
    }
  })

  test('in a hierarchy that the server mounts where nobody has, and that the next server finds', () => {
    const [first, second] = seenAfter(`umount -l "${point}"`)
    for (const seen of [first, second]) {
      assert.deepEqual(seen.bases, ['/run/pmk/cgroup'])
      assert.equal(seen.mounts, 1)
      assert.equal(seen.isInside, true)
      assert.ok(!seen.gaps.includes('processTree') && !seen.gaps.includes('pause'), String(seen.gaps))
    }
  })

  test('nowhere where it is mounted read-only, and that is said', () => {
    for (const seen of seenAfter(`mount -o remount,bind,ro "${point}"`)) {
      assert.deepEqual(seen.bases, [])
      for (const field of ['processTree', 'pause', 'limits.cpu', 'limits.memory', 'limits.pids'])
        assert.ok(seen.gaps.includes(field), field)
    }
  })

  test('for an ordinary user in the group that is delegated to it', async (context) => {
    const group = join(point, `pmk-test-${nodeProcess.pid}`)
    mkdirSync(group)
    chmodSync(group, 0o755)
    for (const path of [group, ...['cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads'].map((file) => join(group, file))]) {
      chownSync(path, NOBODY, NOBODY)
    }
    try {
      const user = `setpriv --reuid=${NOBODY} --regid=${NOBODY} --clear-groups`
      const isReadable = execFileSync('sh', ['-c', `${user} test -r package.json && echo yes || echo no`], {
        cwd: repository,
        encoding: 'utf8',
      })
      if (isReadable !== 'yes\n') return context.skip('NOT TESTED HERE: an ordinary user can not read this repository')
      const seen = seenAfter(`echo 0 >"${group}/cgroup.procs"`, user)
      for (const each of seen) {
        assert.deepEqual(each.bases, [group])
        assert.equal(each.isInside, true)
        assert.ok(!each.gaps.includes('pause'), String(each.gaps))
      }
    } finally {
      await eventually(() => remove(group))
    }
  })

  test('for an ordinary user nowhere where nothing is delegated', () => {
    const user = `setpriv --reuid=${NOBODY} --regid=${NOBODY} --clear-groups`
    for (const seen of seenAfter(':', user)) assert.deepEqual([seen.bases, seen.gaps.includes('processTree')], [[], true])
  })
})

/** The kernel lets go of those that have just ended a little later. */
function remove(group: string): void {
  const leaf = join(group, 'pmk-server')
  try {
    rmdirSync(leaf)
  } catch (err) {
    if (!(err instanceof Error && 'code' in err && err.code === 'ENOENT')) throw err
  }
  rmdirSync(group)
}
