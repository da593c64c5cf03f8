import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { silentLogger } from '../../src/base/log.ts'
import type { Child, SpawnChild } from '../../src/runtime/child.ts'
import { findTools } from '../../src/runtime/host.ts'
import { type CutMode, type CutTools, probeCutMode } from '../../src/runtime/log-cut.ts'
import { LogFile } from '../../src/runtime/log-file.ts'
import { offsetSince } from '../../src/runtime/log-index.ts'
import { readRange, startOfLastLines, startOfLine } from '../../src/runtime/log-reader.ts'
import type { LogConfig } from '../../src/runtime/runtime.ts'
import { noSmallDisk, SmallDisk } from '../support/small-disk.ts'

const spawnChild: SpawnChild = async ({ command, args, env, cwd, stdio }) => {
  const child = spawn(command, [...args], { env: { ...env }, cwd, stdio: [...stdio] })
  const ended = once(child, 'exit').then(([code]) => ({ code: code as number, signal: undefined }))
  const stream = (fd: number): never => child.stdio[fd] as never
  return { pid: child.pid ?? 0, ended, input: stream, output: stream, unref: () => child.unref() } satisfies Child
}
const tools: CutTools = { host: findTools(), spawn: spawnChild }
const KIB = 1024
const config = (more: Partial<LogConfig> = {}): LogConfig => ({
  maxSize: 64 * KIB,
  maxFiles: 1000,
  compress: true,
  mergeStderr: true,
  ...more,
})
/** Lines of 100 bytes that count. */
const lines = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, index) => `${String(from + index).padStart(99, '0')}\n`).join('')

/** A directory whose file system has this way of cutting; undefined when this host has none. */
async function placeFor(mode: CutMode): Promise<string | undefined> {
  for (const parent of [tmpdir(), '/dev/shm']) {
    if (!existsSync(parent)) continue
    const place = mkdtempSync(join(parent, 'pmk-log-'))
    // Whoever can collapse can punch, and everybody can truncate.
    const found = await probeCutMode(place, tools)
    if (found === mode || mode === 'truncate' || (found === 'collapse' && mode === 'punch')) return place
    rmSync(place, { recursive: true })
  }
  return undefined
}

test('what a file system can do is found out on a full disk, too', { skip: noSmallDisk }, async () => {
  const disk = new SmallDisk(1)
  try {
    const before = await probeCutMode(disk.path, tools)
    assert.notEqual(before, 'truncate')
    disk.fill()
    assert.equal(await probeCutMode(disk.path, tools), before)
    rmSync(join(disk.path, '.probe'))
    assert.equal(await probeCutMode(disk.path, tools), before, 'nothing need be there from better times')
  } finally {
    disk.remove()
  }
})

for (const mode of ['collapse', 'punch', 'truncate'] as const) {
  describe(`a log whose head is taken off by ${mode}`, () => {
    let place: string | undefined
    let count = 0
    before(async () => {
      place = await placeFor(mode)
    })
    after(() => {
      if (place !== undefined) rmSync(place, { recursive: true })
    })

    async function newLog(): Promise<LogFile> {
      const directory = join(place ?? assert.fail(), String(count++))
      mkdirSync(directory)
      writeFileSync(join(directory, 'log'), '')
      return reopened(join(directory, 'log'))
    }
    async function reopened(path: string): Promise<LogFile> {
      const file = new LogFile({ path, mode, tools, log: silentLogger, truncated: () => {} })
      await file.open()
      return file
    }
    async function read(file: LogFile, from = 0, to = Number.MAX_SAFE_INTEGER): Promise<string> {
      const pieces: Buffer[] = []
      for await (const piece of readRange(file, from, to)) pieces.push(piece.bytes)
      return Buffer.concat(pieces).toString()
    }
    const it = (title: string, fn: (context: TestContext) => Promise<void>): void => {
      test(title, async (context) => {
        if (place === undefined) context.skip(`no file system of this host can ${mode}`)
        else await fn(context)
      })
    }

    it('what was written since the last look is there to be looked at, although readers have sampled it', async () => {
      const file = await newLog()
      assert.equal(file.look(0).live, 0)
      assert.equal(file.hasChanged(), false)
      appendFileSync(file.path, lines(0, 10))
      assert.equal(file.sample().live, 1_000)
      assert.equal(file.hasChanged(), true)
      file.look(0)
      assert.equal(file.hasChanged(), false)
    })

    it('archives and live file together are the whole, byte for byte', async () => {
      const file = await newLog()
      for (let round = 0; round < 10; round++) {
        appendFileSync(file.path, lines(round * 1000, (round + 1) * 1000))
        await file.rotate(config({ compress: round % 2 === 0 }), 0)
        assert.ok(file.sample().live < 64 * KIB)
      }
      assert.ok(file.archives.list().length >= (mode === 'truncate' ? 10 : 14))
      assert.equal(await read(file), lines(0, 10_000))
      assert.equal(await read(file, 123_450, 678_901), lines(0, 10_000).slice(123_450, 678_901))
      assert.equal(await file.end(), 1_000_000)
    })

    it('a live file of whole blocks, to the byte, is rotated like any other', async () => {
      const file = await newLog()
      const block = 4 * KIB
      // The one of just its limit, and one that leaves nothing over.
      for (const blocks of [16, 32]) {
        const before = await file.end()
        const missing = blocks * block - file.sample().live
        appendFileSync(file.path, 'x'.repeat(missing))
        assert.equal(await file.rotate(config(), 0), 0)
        assert.ok(file.sample().live <= block || mode === 'truncate', `${file.sample().live} bytes are left`)
        assert.equal(await file.end(), before + missing)
      }
      const end = await file.end()
      assert.ok((await read(file)) === 'x'.repeat(end))
    })

    it('what was written since a moment is found, on both sides of a cut', async () => {
      const file = await newLog()
      const write = (from: number, to: number, epoch: number): void => {
        appendFileSync(file.path, lines(from, to))
        utimesSync(file.path, epoch / 1000, epoch / 1000)
        file.sample({ final: true })
      }
      const start = Date.UTC(2026, 0, 1)
      write(0, 400, start)
      write(400, 800, start + 60_000)
      await file.rotate(config(), 0)
      write(800, 900, start + 120_000)
      const since = (epoch: number): Promise<string> => read(file, offsetSince(file.index.read(), epoch))
      assert.equal(await since(start), lines(0, 900))
      assert.equal(await since(start + 30_000), lines(400, 900))
      assert.equal(await since(start + 90_000), lines(800, 900))
      assert.equal(await since(start + 150_000), '')
    })

    it('positions are the same for the next server', async () => {
      const file = await newLog()
      appendFileSync(file.path, lines(0, 3000))
      await file.rotate(config(), 0)
      const next = await reopened(file.path)
      appendFileSync(file.path, lines(3000, 3010))
      assert.equal(await next.end(), 301_000)
      assert.equal(await read(next), lines(0, 3010))
    })

    it('only so many archives are kept, and reading begins with the oldest', async () => {
      const file = await newLog()
      for (let round = 0; round < 6; round++) {
        appendFileSync(file.path, lines(round * 700, (round + 1) * 700))
        await file.rotate(config({ maxFiles: 2 }), 0)
      }
      assert.equal(file.archives.list().length, 2)
      const text = await read(file)
      assert.ok(text.length <= 3 * 70_000 && lines(0, 4200).endsWith(text))
    })

    it('a log that grew too fast is trimmed without a copy, and its end is whole', async () => {
      const file = await newLog()
      appendFileSync(file.path, lines(0, 20_000))
      const dropped = await file.rotate(config({ maxFiles: 2 }), 0)
      assert.ok(dropped > 1_700_000)
      const text = await read(file)
      assert.ok(lines(19_000, 20_000) === text.slice(-100_000) || mode === 'truncate')
      assert.ok(text.length <= 3 * 64 * KIB)
      assert.equal(await file.end(), 2_000_000)
    })

    it('a fast log is not copied: its live file keeps what archives would, and they are made when it has become slower', async () => {
      const file = await newLog()
      const limits = config({ maxFiles: 4 })
      const fast = limits.maxSize * 4
      appendFileSync(file.path, lines(0, 3_000))
      assert.equal(await file.rotate(limits, fast), 0)
      if (mode === 'truncate') {
        // All of it would be dropped at once, so it is copied however fast it grows.
        assert.equal(file.archives.list().length, 1)
        return
      }
      assert.deepEqual(file.archives.list(), [])
      appendFileSync(file.path, lines(3_000, 6_000))
      const dropped = await file.rotate(limits, fast)
      assert.ok(dropped > 0, 'nothing was dropped')
      assert.deepEqual(file.archives.list(), [])
      const kept = await read(file)
      assert.equal(kept, lines(0, 6_000).slice(dropped))
      assert.ok(kept.length >= limits.maxSize * 4, `only ${kept.length} bytes were kept`)
      assert.ok(kept.length <= limits.maxSize * 5, `${kept.length} bytes are too many`)
      await file.rotate(limits, 0)
      assert.equal(file.archives.list().length, 4)
      assert.ok(file.sample().live < limits.maxSize, 'the live file is still large')
      assert.equal((await read(file)).slice(-100_000), kept.slice(-100_000))
    })

    it('the last lines are found across archives, long lines and a missing newline', async () => {
      const file = await newLog()
      appendFileSync(file.path, lines(0, 2000))
      await file.rotate(config(), 0)
      appendFileSync(file.path, `${'x'.repeat(300 * KIB)}\nlast`)
      const end = await file.end()
      const tail = async (count: number, low = 0): Promise<string> => read(file, await startOfLastLines(file, low, end, count))
      assert.equal(await tail(0), '')
      assert.equal(await tail(1), 'last')
      assert.equal((await tail(2)).length, 300 * KIB + 5)
      assert.equal((await tail(1500)).slice(0, 100), lines(502, 503))
      assert.equal((await tail(9999)).slice(0, 100), lines(0, 1))
      assert.equal((await tail(9999, 500)).slice(0, 100), lines(5, 6))
      assert.equal(await startOfLine(file, 0, end - 2), end - 4)
    })

    it('a program that empties its own log goes on behind where it was', async () => {
      const file = await newLog()
      appendFileSync(file.path, 'before\n')
      file.sample()
      truncateSync(file.path)
      appendFileSync(file.path, 'new\n')
      file.sample()
      assert.equal(await read(file, 7), 'new\n')
      assert.equal(await file.end(), 11)
    })

    if (mode === 'punch') {
      const small = { maxSize: 8 * KIB, compress: false }
      /** With holes enough for a renewal. */
      const holey = async (): Promise<LogFile> => {
        const file = await newLog()
        for (let round = 0; round < 20; round++) {
          appendFileSync(file.path, lines(round * 100, (round + 1) * 100))
          await file.rotate(config(small), 0)
        }
        return file
      }

      // A program was started anew while its log was being rotated: each booked its own place, and what lay between was lost.
      it('a renewal waits for the rotation under way', async () => {
        const file = await holey()
        appendFileSync(file.path, lines(2000, 3000))
        await Promise.all([file.rotate(config({ ...small, compress: true }), 0), file.renew(config(small))])
        appendFileSync(file.path, lines(3000, 3010))
        assert.equal(await read(file), lines(0, 3010))
        assert.ok(statSync(file.path).size < 2 * small.maxSize)
      })

      it('a renewal takes what was written after the last look, and keeps the owner', async (context: TestContext) => {
        const file = await holey()
        const isRoot = process.getuid?.() === 0
        if (isRoot) chownSync(file.path, 12_345, 12_346)
        appendFileSync(file.path, lines(2000, 2020))
        await file.renew(config(small))
        appendFileSync(file.path, lines(2020, 2030))
        assert.equal(await read(file), lines(0, 2030))
        if (isRoot) assert.deepEqual([statSync(file.path).uid, statSync(file.path).gid], [12_345, 12_346])
        else context.diagnostic('only root can give files away')
      })
    }

    // The disk was full when the cut had to be booked: the archive was deleted as if nothing had been cut, and the next look took the
    // shorter file for one that its program had emptied.
    it('a cut whose books can not be written loses nothing, for this server and the next', async () => {
      const file = await newLog()
      appendFileSync(file.path, lines(0, 1000))
      let truncations = 0
      const unwritable = join(file.path, '../log.place')
      const cutting: CutTools = {
        ...tools,
        spawn: async (options) => {
          const child = await spawnChild(options)
          const ended = child.ended.then((end) => {
            rmSync(unwritable, { force: true })
            mkdirSync(unwritable, { recursive: true })
            return end
          })
          return { ...child, ended }
        },
      }
      const broken = new LogFile({ path: file.path, mode, tools: cutting, log: silentLogger, truncated: () => truncations++ })
      await broken.open()
      await assert.rejects(broken.rotate(config(), 0), /EISDIR/)
      rmSync(unwritable, { recursive: true })
      appendFileSync(file.path, lines(1000, 1100))
      assert.equal(broken.sample().end, 110_000)
      assert.equal(truncations, 0)
      assert.equal(await read(broken), lines(0, 1100))
      const next = await reopened(file.path)
      assert.equal(await read(next), lines(0, 1100))
      assert.equal(await next.end(), 110_000)
    })

    if (mode !== 'truncate') {
      it('nothing is lost or doubled under a fast writer', async () => {
        const file = await newLog()
        const writer = spawn('sh', ['-c', `exec awk 'BEGIN { for (i = 0; i < 300000; i++) printf "%099d\\n", i }' >>"$1"`, '-', file.path])
        let isWriting = true
        const written = once(writer, 'exit').then(() => {
          isWriting = false
        })
        while (isWriting) await file.rotate(config({ maxSize: 512 * KIB, compress: false }), 0)
        await written
        await file.rotate(config({ maxSize: 512 * KIB, compress: false }), 0)
        assert.ok(file.archives.list().length > 10)
        let expected = 0
        let rest = ''
        for await (const { bytes } of readRange(file, 0, Number.MAX_SAFE_INTEGER)) {
          const all = (rest + bytes.toString()).split('\n')
          rest = all.pop() ?? ''
          for (const line of all) assert.equal(line, String(expected++).padStart(99, '0'))
        }
        assert.equal(expected, 300_000)
      })
    }

    it('a compressed archive can be read with gunzip', async () => {
      const file = await newLog()
      appendFileSync(file.path, lines(0, 1000))
      await file.rotate(config(), 0)
      const [archive] = file.archives.list()
      assert.match(archive?.path ?? '', /\.gz$/)
      assert.equal(gunzipSync(readFileSync(archive?.path ?? '')).toString(), lines(0, 1000).slice(0, archive?.end))
    })
  })
}
