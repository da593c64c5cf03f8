import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { appendFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import nodeProcess from 'node:process'
import { after, before, describe, test } from 'node:test'
import { silentLogger } from '../../src/base/log.ts'
import { findTools } from '../../src/runtime/host.ts'
import { probeCutMode } from '../../src/runtime/log-cut.ts'
import { LogFile } from '../../src/runtime/log-file.ts'
import { readRange } from '../../src/runtime/log-reader.ts'
import type { LogConfig } from '../../src/runtime/runtime.ts'
import { spawnChild } from '../../src/runtime/spawn.ts'
import { Bundle } from '../support/bundle.ts'
import { eventually } from '../support/eventually.ts'

const tools = { host: findTools(), spawn: spawnChild }
const KIB = 1024
/** One archive is kept: to make another one, that which is there goes. */
const limits: LogConfig = { maxSize: 16 * KIB, maxFiles: 1, compress: true, mergeStderr: true }
/** Lines of a live log that is to be rotated. */
const LIVE = 200
/** Lines of 100 bytes that count. */
const lines = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, index) => `${String(from + index).padStart(99, '0')}\n`).join('')

let bundle: Bundle
before(() => {
  bundle = new Bundle(new URL('../fixtures/killed-log.ts', import.meta.url))
})
after(() => bundle.remove())

for (const mode of ['collapse', 'punch', 'truncate'] as const) {
  describe(`a server killed while it takes the head off a log by ${mode}`, () => {
    let place: string
    let isAble = true
    before(async () => {
      place = mkdtempSync(join(tmpdir(), 'pmk-killed-'))
      const found = await probeCutMode(place, tools)
      isAble = found === mode || found === 'collapse' || mode === 'truncate'
    })
    after(() => rmSync(place, { recursive: true }))

    async function opened(path: string): Promise<LogFile> {
      const file = new LogFile({ path, mode, tools, log: silentLogger, truncated: () => assert.fail('taken for emptied by its program') })
      await file.open()
      return file
    }

    /** Makes a log of so many lines, taken off piece by piece as they come. Gives its path. */
    async function rotated(written: number): Promise<string> {
      const path = join(place, randomUUID(), 'log')
      mkdirSync(dirname(path))
      writeFileSync(path, '')
      const file = await opened(path)
      for (let from = 0; from < written; from += LIVE) {
        await file.rotate({ ...limits, maxFiles: 1000, compress: false }, 0)
        appendFileSync(path, lines(from, from + LIVE))
      }
      return path
    }

    function copied(path: string): string {
      const copy = join(place, randomUUID())
      cpSync(dirname(path), copy, { recursive: true })
      return join(copy, 'log')
    }

    function runThere(verb: 'rotate' | 'renew', path: string, kill: string | undefined): ReturnType<typeof spawnSync> {
      const words = [bundle.path, path, mode, verb, JSON.stringify(limits), ...(kill === undefined ? [] : [kill])]
      return spawnSync(nodeProcess.execPath, words, { encoding: 'utf8' })
    }

    function stepsOf(verb: 'rotate' | 'renew', path: string): readonly string[] {
      const { stdout, stderr, status } = runThere(verb, path, undefined)
      assert.equal(status, 0, String(stderr))
      return JSON.parse(String(stdout)) as readonly string[]
    }

    /** Opens the log as the next server does, goes on with it, and compares all that is kept of it. `written`: lines in it. */
    async function checkNext(path: string, written: number, step: string): Promise<void> {
      const file = await opened(path)
      const check = async (total: number): Promise<void> => {
        const start = file.archives.list()[0]?.start ?? file.head
        assert.ok(start <= LIVE * 100, `before "${step}": only what an archive held may go, and ${start} bytes are gone`)
        assert.equal(await file.end(), total * 100, `before "${step}": the end`)
        const pieces: Buffer[] = []
        for await (const { bytes } of readRange(file, start, Number.MAX_SAFE_INTEGER)) pieces.push(bytes)
        assert.ok(Buffer.concat(pieces).toString() === lines(0, total).slice(start), `before "${step}": the bytes`)
      }
      await check(written)
      await file.rotate({ ...limits, maxFiles: 1000 }, 0)
      appendFileSync(path, lines(written, written + 10))
      await check(written + 10)
      const isLeft = (name: string): boolean => /rotate|tmp|new/.test(name)
      assert.deepEqual(readdirSync(join(path, '..')).filter(isLeft), [], `before "${step}": files left`)
    }

    /** What a server killed before any other step leaves is the same for each way of cutting. */
    const isTold = (step: string): boolean => mode === 'collapse' || /^(rename|spawn|write .*place|delete .*rotate|.*new$)/.test(step)

    /** `more`: lines that the program writes while no server runs. */
    async function killAtEachStep(verb: 'rotate' | 'renew', log: string, more: number, expected: readonly RegExp[]): Promise<void> {
      const written = (await (await opened(log)).end()) / 100
      const steps = stepsOf(verb, copied(log))
      for (const step of expected)
        assert.ok(
          steps.some((each) => step.test(each)),
          `no step is ${step}: ${steps.join(', ')}`,
        )
      for (const step of steps.filter(isTold)) {
        const path = copied(log)
        assert.equal(runThere(verb, path, `before ${step}`).signal, 'SIGKILL', step)
        appendFileSync(path, lines(written, written + more))
        await checkNext(path, written + more, step)
      }
    }

    test('loses and doubles nothing, at whichever step of a rotation', async (context) => {
      if (!isAble) return context.skip(`no file system here can ${mode}`)
      // The program writes more than there was, so that the size of the file tells nothing.
      await killAtEachStep('rotate', await rotated(2 * LIVE), LIVE + 1, [
        /^delete .*-\d+$/,
        /^create .*log\.rotate/,
        /^write .*log\.rotate/,
        /^create .*tmp$/,
        /^write .*tmp$/,
        /^rename .*tmp/,
        /^spawn /,
        /^write .*place/,
        /^delete .*rotate/,
      ])
    })

    test('loses and doubles nothing when its cut comes after the next server has begun', async (context) => {
      if (!isAble) return context.skip(`no file system here can ${mode}`)
      const path = await rotated(2 * LIVE)
      const lock = spawn('flock', [`${path}.lock`, 'sh', '-c', 'echo held; read -r _'], { stdio: ['pipe', 'pipe', 'inherit'] })
      await once(lock.stdout, 'data')
      const server = spawn(nodeProcess.execPath, [bundle.path, path, mode, 'rotate', JSON.stringify(limits)], { stdio: 'ignore' })
      const waiting = (): string | undefined =>
        readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'utf8')
          .trim()
          .split(' ')
          .find((pid) => pid !== '' && readFileSync(`/proc/${pid}/comm`, 'utf8') === 'flock\n')
      const late = await eventually(() => waiting() ?? assert.fail('the cut waits for the lock'))
      server.kill('SIGKILL')
      await once(server, 'exit')
      appendFileSync(path, lines(2 * LIVE, 3 * LIVE))
      const checking = checkNext(path, 3 * LIVE, 'a late cut')
      await eventually(() => assert.ok(existsSync(`${path}.rotate.2`), 'the next server has taken the note'))
      lock.stdin.end()
      await checking
      await eventually(() => assert.equal(existsSync(`/proc/${late}/fd`), false, 'the late cut has ended'))
    })

    if (mode === 'punch') {
      test('loses and doubles nothing, at whichever step of a renewal', async (context) => {
        if (!isAble) return context.skip('no file system here can punch')
        await killAtEachStep('renew', await rotated(14 * LIVE), 100, [/^rename .*tmp/, /log\.new$/, /^rename .*log\.new/, /^write .*place/])
      })
    }
  })
}
