import assert from 'node:assert/strict'
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import nodeProcess from 'node:process'
import { after, before, describe, test } from 'node:test'
import { systemClock } from '../../src/base/clock.ts'
import { DirectoryOrigin } from '../../src/gitops/directory-origin.ts'
import type { Fetched, Snapshot } from '../../src/gitops/snapshot.ts'
import { eventually } from '../support/eventually.ts'

const isRoot = nodeProcess.getuid?.() === 0

/** A directory, what was seen of it, and how often it was told that it changed. */
class Place {
  readonly root: string
  readonly base: string
  readonly origin: DirectoryOrigin
  readonly #stop = new AbortController()
  hints = 0

  constructor(inner = 'manifests') {
    this.base = mkdtempSync(join(tmpdir(), 'pmk-gitops-'))
    this.root = join(this.base, inner)
    this.origin = new DirectoryOrigin({
      path: this.root,
      clock: systemClock,
      kustomize: async () => ({ problem: 'nothing builds here' }),
    })
    this.origin.watch(() => {
      this.hints += 1
    }, this.#stop.signal)
  }

  path(...names: string[]): string {
    return join(this.root, ...names)
  }

  /** Files by content, once nothing is being written. */
  async settled(): Promise<Fetched> {
    let fetched: Fetched | undefined
    await eventually(async () => {
      fetched = await this.origin.fetch(this.#stop.signal)
      assert.notEqual(fetched.type, 'unsettled', 'still being written')
    })
    assert.ok(fetched !== undefined, 'nothing was fetched')
    return fetched
  }

  async files(): Promise<Readonly<Record<string, string>>> {
    const fetched = await this.settled()
    assert.equal(fetched.type, 'snapshot', JSON.stringify(fetched))
    return fetched.type === 'snapshot' ? Object.fromEntries(fetched.snapshot.files.map(({ path, text }) => [path, text])) : {}
  }

  /** Does something, and waits until a file event tells of it. */
  async told(change: () => void): Promise<void> {
    await this.settled()
    const before = this.hints
    change()
    await eventually(() => assert.ok(this.hints > before, 'no event told of it'))
  }

  end(): void {
    this.#stop.abort()
    rmSync(this.base, { recursive: true, force: true })
  }
}

describe('what a directory holds', () => {
  let place: Place
  before(() => {
    place = new Place()
    mkdirSync(place.path('deep', 'er'), { recursive: true })
    writeFileSync(place.path('a.yaml'), 'a')
    writeFileSync(place.path('b.yml'), 'b')
    writeFileSync(place.path('deep', 'c.json'), 'c')
    writeFileSync(place.path('deep', 'er', 'd.yaml'), 'd')
    for (const name of ['a.yaml~', '#a.yaml#', '.#a.yaml', '.a.yaml.swp', '4913', 'README.md', 'a.yaml.bak', '.hidden.yaml'])
      writeFileSync(place.path(name), 'x')
    mkdirSync(place.path('.git'))
    writeFileSync(place.path('.git', 'e.yaml'), 'x')
    symlinkSync(place.path('deep', 'er'), place.path('linked'))
    symlinkSync('..', place.path('deep', 'circle'))
    symlinkSync('/nowhere/at/all', place.path('aimless'))
  })
  after(() => place.end())

  test('manifests of all directories, by path, without what editors and git leave there', async () => {
    assert.deepEqual(await place.files(), { 'a.yaml': 'a', 'b.yml': 'b', 'deep/c.json': 'c', 'deep/er/d.yaml': 'd', 'linked/d.yaml': 'd' })
  })

  test('a link to a directory that it is in is passed over, and told of', async () => {
    const fetched = await place.settled()
    assert.deepEqual(fetched.type === 'snapshot' && fetched.snapshot.notes, [
      'deep/circle: a link to a directory that it is in itself; passed over',
    ])
  })

  test('the revision is that of names and contents, and of nothing else', async () => {
    const revision = async (): Promise<string> => {
      const fetched = await place.settled()
      return fetched.type === 'snapshot' ? fetched.snapshot.revision : fetched.type
    }
    const first = await revision()
    chmodSync(place.path('a.yaml'), 0o600)
    utimesSync(place.path('a.yaml'), 1, 1)
    assert.equal(await revision(), first)
    appendFileSync(place.path('a.yaml'), '+')
    const second = await revision()
    assert.notEqual(second, first)
    renameSync(place.path('a.yaml'), place.path('z.yaml'))
    assert.notEqual(await revision(), second)
    renameSync(place.path('z.yaml'), place.path('a.yaml'))
    writeFileSync(place.path('a.yaml'), 'a')
    assert.equal(await revision(), first)
  })
})

describe('files that can not be used', () => {
  const cases: readonly {
    readonly given: string
    readonly make: (place: Place) => void
    readonly says: RegExp
    readonly unless?: boolean
  }[] = [
    {
      given: 'no text',
      make: (p) => writeFileSync(p.path('x.yaml'), Buffer.from([0xff, 0xfe, 0x00])),
      says: /^x\.yaml: is not UTF-8 text/,
    },
    { given: 'a link that leads nowhere', make: (p) => symlinkSync('gone.yaml', p.path('x.yaml')), says: /^x\.yaml: no such file/ },
    {
      given: 'an unreadable file',
      make: (p) => {
        writeFileSync(p.path('x.yaml'), 'x')
        chmodSync(p.path('x.yaml'), 0)
      },
      says: /^x\.yaml: permission denied/,
      unless: isRoot,
    },
    {
      given: 'an unreadable directory',
      make: (p) => {
        mkdirSync(p.path('x'))
        chmodSync(p.path('x'), 0)
      },
      says: /^x: permission denied/,
      unless: isRoot,
    },
    {
      given: 'a file that has been empty for long',
      make: (p) => {
        writeFileSync(p.path('x.yaml'), '')
      },
      says: /^x\.yaml: is empty/,
    },
  ]
  for (const { given, make, says, unless } of cases)
    test(`${given} is named, and the others are read`, { skip: unless === true ? 'root may read everything' : false }, async (t) => {
      const place = new Place()
      t.after(() => place.end())
      mkdirSync(place.root)
      writeFileSync(place.path('good.yaml'), 'good')
      make(place)
      const late = new DirectoryOrigin({
        path: place.root,
        // An hour later, when nothing is being written any more.
        clock: { ...systemClock, now: () => new Date(Date.now() + 3_600_000).toISOString() },
        kustomize: async () => ({ problem: 'nothing builds here' }),
      })
      const fetched = await late.fetch(new AbortController().signal)
      assert.equal(fetched.type, 'snapshot')
      if (fetched.type !== 'snapshot') return
      assert.deepEqual(
        fetched.snapshot.files.map(({ path }) => path),
        ['good.yaml'],
      )
      const [problem, ...more] = fetched.snapshot.problems.map(({ file, message }) => `${file}: ${message}`)
      assert.match(problem ?? '', says)
      assert.deepEqual(more, [])
    })

  test('a directory that is missing, a file, or without manifests is a failure, and so is everything there is', async (t) => {
    const place = new Place()
    t.after(() => place.end())
    const failure = async (): Promise<string> => {
      const fetched = await place.settled()
      return fetched.type === 'failed' ? fetched.reason : fetched.type
    }
    assert.equal(await failure(), 'PathNotFound')
    writeFileSync(place.root, 'x')
    assert.equal(await failure(), 'PathUnreadable')
    unlinkSync(place.root)
    mkdirSync(place.root)
    assert.equal(await failure(), 'NoManifests')
    symlinkSync(place.path('itself'), place.path('itself'))
    assert.equal(await failure(), 'NoManifests')
  })
})

describe('a file that is being written', () => {
  test('is read half a second after the last change, and not before', async (t) => {
    const place = new Place()
    t.after(() => place.end())
    mkdirSync(place.root)
    writeFileSync(place.path('a.yaml'), 'half')
    const fetched = await place.origin.fetch(new AbortController().signal)
    assert.equal(fetched.type, 'unsettled')
    assert.ok(fetched.type === 'unsettled' && fetched.retryAfter > 0 && fetched.retryAfter <= 500, JSON.stringify(fetched))
    assert.deepEqual(await place.files(), { 'a.yaml': 'half' })
    truncateSync(place.path('a.yaml'))
    const empty = await place.origin.fetch(new AbortController().signal)
    assert.ok(empty.type === 'unsettled', 'an empty file is about to be filled')
  })

  test('that was put aside or deleted a moment ago may come again: it is gone half a second later, and not before', async (t) => {
    const place = new Place()
    t.after(() => place.end())
    mkdirSync(place.path('sub'), { recursive: true })
    writeFileSync(place.path('a.yaml'), 'a')
    writeFileSync(place.path('sub', 'b.yaml'), 'b')
    const look = async (): Promise<string> => (await place.origin.fetch(new AbortController().signal)).type
    await place.files()
    // As vim writes a file.
    renameSync(place.path('sub', 'b.yaml'), place.path('sub', 'b.yaml~'))
    assert.equal(await look(), 'unsettled')
    writeFileSync(place.path('sub', 'b.yaml'), 'new')
    assert.deepEqual(await place.files(), { 'a.yaml': 'a', 'sub/b.yaml': 'new' })
    // Something else that comes and goes in the directory keeps nobody waiting.
    writeFileSync(place.path('sub', '4913'), '')
    unlinkSync(place.path('sub', '4913'))
    assert.equal(await look(), 'snapshot')
    rmSync(place.path('sub'), { recursive: true })
    assert.equal(await look(), 'unsettled')
    assert.deepEqual(await place.files(), { 'a.yaml': 'a' })
    unlinkSync(place.path('a.yaml'))
    assert.equal(await look(), 'unsettled')
    assert.equal((await place.settled()).type, 'failed')
  })

  test('when a server comes to it: what was deleted just before may come again, too', async (t) => {
    const place = new Place()
    t.after(() => place.end())
    mkdirSync(place.root)
    writeFileSync(place.path('a.yaml'), 'a')
    writeFileSync(place.path('b.yaml'), 'b')
    await place.files()
    await place.files()
    unlinkSync(place.path('b.yaml'))
    // However slow the host is: that moment.
    const now = systemClock.now()
    const another = new DirectoryOrigin({
      path: place.root,
      clock: { ...systemClock, now: () => now },
      kustomize: async () => ({ problem: 'nothing builds here' }),
    })
    assert.equal((await another.fetch(new AbortController().signal)).type, 'unsettled')
  })

  test('with a time that is still to come is read when it has been left alone for half a second', async (t) => {
    const place = new Place()
    t.after(() => place.end())
    mkdirSync(place.root)
    const write = (text: string): void => {
      writeFileSync(place.path('a.yaml'), text)
      utimesSync(place.path('a.yaml'), 4_000_000_000, 4_000_000_000)
    }
    for (const text of ['one', 'two']) {
      write(text)
      const fetched = await place.origin.fetch(new AbortController().signal)
      assert.equal(fetched.type, 'unsettled')
      assert.deepEqual(await place.files(), { 'a.yaml': text })
    }
  })
})

describe('a look at what has not changed', () => {
  test('gives the very same snapshot, and after a change the very same files but one', async (t) => {
    const place = new Place()
    t.after(() => place.end())
    mkdirSync(place.root)
    for (const name of ['a', 'b']) writeFileSync(place.path(`${name}.yaml`), name)
    const snapshot = async (): Promise<Snapshot> => {
      const fetched = await place.settled()
      assert.ok(fetched.type === 'snapshot', JSON.stringify(fetched))
      return fetched.snapshot
    }
    const first = await snapshot()
    assert.equal(await snapshot(), first)
    writeFileSync(place.path('a.yaml'), 'a')
    assert.equal(await snapshot(), first, 'the same text was written again')
    writeFileSync(place.path('a.yaml'), 'changed')
    const second = await snapshot()
    assert.notEqual(second.revision, first.revision)
    assert.deepEqual(
      second.files.map((file) => first.files.includes(file)),
      [false, true],
    )
  })
})

describe('file events tell of', () => {
  const changes: readonly {
    readonly what: string
    readonly change: (place: Place) => void
    readonly files: Readonly<Record<string, string>>
  }[] = [
    {
      what: 'a new file',
      change: (p) => writeFileSync(p.path('new.yaml'), 'new'),
      files: { 'a.yaml': 'a', 'sub/b.yaml': 'b', 'new.yaml': 'new' },
    },
    {
      what: 'an edit in place',
      change: (p) => writeFileSync(p.path('a.yaml'), 'edited'),
      files: { 'a.yaml': 'edited', 'sub/b.yaml': 'b' },
    },
    {
      what: 'an append in a directory',
      change: (p) => appendFileSync(p.path('sub', 'b.yaml'), '+'),
      files: { 'a.yaml': 'a', 'sub/b.yaml': 'b+' },
    },
    {
      what: 'a file renamed over another',
      change: (p) => {
        writeFileSync(join(p.base, 'next'), 'next')
        renameSync(join(p.base, 'next'), p.path('a.yaml'))
      },
      files: { 'a.yaml': 'next', 'sub/b.yaml': 'b' },
    },
    { what: 'a deletion', change: (p) => unlinkSync(p.path('a.yaml')), files: { 'sub/b.yaml': 'b' } },
    { what: 'a directory moved out', change: (p) => renameSync(p.path('sub'), join(p.base, 'out')), files: { 'a.yaml': 'a' } },
    {
      what: 'a directory moved in',
      change: (p) => {
        mkdirSync(join(p.base, 'ready', 'inner'), { recursive: true })
        writeFileSync(join(p.base, 'ready', 'inner', 'c.yaml'), 'c')
        renameSync(join(p.base, 'ready'), p.path('moved'))
      },
      files: { 'a.yaml': 'a', 'sub/b.yaml': 'b', 'moved/inner/c.yaml': 'c' },
    },
    {
      what: 'the whole directory replaced by another',
      change: (p) => {
        mkdirSync(join(p.base, 'other'))
        writeFileSync(join(p.base, 'other', 'o.yaml'), 'o')
        renameSync(p.root, join(p.base, 'old'))
        renameSync(join(p.base, 'other'), p.root)
      },
      files: { 'o.yaml': 'o' },
    },
  ]
  for (const { what, change, files } of changes)
    test(what, async (t) => {
      const place = new Place()
      t.after(() => place.end())
      mkdirSync(place.path('sub'), { recursive: true })
      writeFileSync(place.path('a.yaml'), 'a')
      writeFileSync(place.path('sub', 'b.yaml'), 'b')
      await place.told(() => change(place))
      assert.deepEqual(await place.files(), files)
      // What came with the change is watched, too.
      const [first = ''] = Object.keys(files)
      await place.told(() => appendFileSync(place.path(first), '!'))
    })

  test('a link that is swapped: of a file, of a directory above, and the way of Kubernetes', async (t) => {
    const place = new Place(join('current', 'manifests'))
    t.after(() => place.end())
    for (const [version, text] of [
      ['v1', 'one'],
      ['v2', 'two'],
    ] as const) {
      mkdirSync(join(place.base, version, 'manifests'), { recursive: true })
      writeFileSync(join(place.base, version, 'manifests', 'a.yaml'), text)
    }
    const swap = (target: string, link: string): void => {
      symlinkSync(target, `${link}.new`)
      renameSync(`${link}.new`, link)
    }
    symlinkSync('v1', join(place.base, 'current'))
    assert.deepEqual(await place.files(), { 'a.yaml': 'one' })
    await place.told(() => swap('v2', join(place.base, 'current')))
    assert.deepEqual(await place.files(), { 'a.yaml': 'two' })

    writeFileSync(join(place.base, 'elsewhere'), 'outside')
    await place.told(() => swap(join(place.base, 'elsewhere'), place.path('b.yaml')))
    assert.deepEqual(await place.files(), { 'a.yaml': 'two', 'b.yaml': 'outside' })
    await place.told(() => writeFileSync(join(place.base, 'elsewhere'), 'changed outside'))
    assert.deepEqual(await place.files(), { 'a.yaml': 'two', 'b.yaml': 'changed outside' })

    for (const name of ['..1', '..2']) {
      mkdirSync(place.path(name))
      writeFileSync(place.path(name, 'c.yaml'), name)
    }
    symlinkSync('..1', place.path('..data'))
    symlinkSync(join('..data', 'c.yaml'), place.path('c.yaml'))
    assert.deepEqual(await place.files(), { 'a.yaml': 'two', 'b.yaml': 'changed outside', 'c.yaml': '..1' })
    await place.told(() => swap('..2', place.path('..data')))
    assert.deepEqual(await place.files(), { 'a.yaml': 'two', 'b.yaml': 'changed outside', 'c.yaml': '..2' })
  })

  test('a directory that was deleted and made anew, which may get the same number of an inode', async (t) => {
    const place = new Place()
    t.after(() => place.end())
    mkdirSync(place.path('sub'), { recursive: true })
    writeFileSync(place.path('a.yaml'), 'a')
    for (const text of ['one', 'two', 'three']) {
      await place.told(() => {
        rmSync(place.path('sub'), { recursive: true })
        mkdirSync(place.path('sub'))
      })
      await place.settled()
      await place.told(() => writeFileSync(place.path('sub', 'b.yaml'), text))
      assert.deepEqual(await place.files(), { 'a.yaml': 'a', 'sub/b.yaml': text })
    }
  })

  test('a directory that was missing', async (t) => {
    const place = new Place(join('not', 'yet'))
    t.after(() => place.end())
    await place.told(() => mkdirSync(join(place.base, 'not')))
    await place.told(() => mkdirSync(place.root))
    await place.told(() => writeFileSync(place.path('a.yaml'), 'a'))
    assert.deepEqual(await place.files(), { 'a.yaml': 'a' })
  })
})
