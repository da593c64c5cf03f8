import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readdirSync, rmdirSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import nodeProcess from 'node:process'
import { after, before, describe, test } from 'node:test'
import { StartError } from '../../src/runtime/runtime.ts'
import { hasCode } from '../../src/runtime/state-dir.ts'
import { eventually } from '../support/eventually.ts'
import { TestMachine } from '../support/posix-runtime.ts'

const disk = mkdtempSync(join(tmpdir(), 'pmk-disk-'))
const mounted = nodeProcess.getuid?.() === 0 && spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'pmk-test', disk]).status === 0
const skip = mounted ? false : 'NOT TESTED: a small file system can not be mounted here'

describe('a disk that is full', { skip, concurrency: false }, () => {
  const machine = new TestMachine({ dataDir: join(disk, 'data') })
  const filler = join(disk, 'filler')
  before(() => machine.open())
  after(async () => {
    rmSync(filler, { force: true })
    await machine.destroy()
    assert.equal(spawnSync('umount', [disk]).status, 0)
    rmdirSync(disk)
  })

  /** Until not one more byte can be written. */
  function fill(): void {
    const fd = openSync(filler, 'a')
    try {
      for (let size = 65_536; size >= 1; ) {
        try {
          if (writeSync(fd, Buffer.alloc(size)) < size) size = Math.floor(size / 2)
        } catch (err) {
          if (!hasCode(err, 'ENOSPC')) throw err
          size = Math.floor(size / 2)
        }
      }
    } finally {
      closeSync(fd)
    }
    assert.equal(statfsSync(disk).bavail, 0)
  }
  const free = (): void => rmSync(filler)

  test('programs run on, their ends are told, and a start is refused with a reason until there is space', async () => {
    const run = await machine.startRunning(['sleep', '1000'])
    const other = await machine.startRunning(['sh', '-c', 'read -r _; exit 42'], { stdinFile: '/dev/zero' }).catch(() => undefined)
    await machine.runtime.saveNote(run.instance, 'before')
    fill()
    await machine.runtime.signal(run.id, 'QUIT', 'Main')
    const { exit } = await machine.exited(run.instance)
    assert.equal(exit.by === 'signal' && exit.signal, 'QUIT')
    await machine.runtime.saveNote(run.instance, 'after, in place').catch((err: unknown) => assert.ok(hasCode(err, 'ENOSPC'), String(err)))

    const again = machine.config(['sleep', '1000'], { instance: run.instance })
    const fresh = machine.config(['sleep', '1000'])
    for (const config of [again, fresh]) {
      const answer = await machine.runtime.start(config).catch((err: unknown) => err)
      if (answer instanceof Error) {
        assert.ok(answer instanceof StartError, `${config.id}: ${answer.stack}`)
        assert.equal(answer.reason, 'HostFailure')
        assert.match(answer.message, /no space left|ENOSPC/i)
      }
    }
    free()
    for (const config of [again, fresh]) {
      const started = await machine.runtime.start(config)
      assert.equal(started.state, 'running')
      await machine.runtime.killTree(started.id)
    }
    if (other !== undefined) await machine.runtime.killTree(other.id)
    assert.match((await machine.runtime.get(run.instance))?.note ?? '', /^(before|after, in place)$/)
  })

  test('a server that opens on a full disk takes its programs over', async () => {
    const run = await machine.startRunning(['sleep', '1000'])
    fill()
    await machine.close()
    await machine.open()
    assert.deepEqual((await machine.runtime.get(run.instance))?.run, run)
    await machine.runtime.killTree(run.id)
    await machine.exited(run.instance)
    await machine.runtime.remove(run.instance)
    free()
  })

  test('a log that meets a full disk at its rotation goes on when there is space, and stays within its bound', async () => {
    const logs = { maxSize: 256 * 1024, maxFiles: 2, compress: false, mergeStderr: true }
    const script = 'i=0; while :; do i=$((i+1)); printf "line %0100d\\n" $i; done 2>/dev/null'
    const run = await machine.startRunning(['sh', '-c', script], { logs })
    const directory = join(machine.dataDir, 'logs', run.instance)
    await eventually(() => assert.ok(statSync(join(directory, 'log')).size > 100_000, 'it writes'))
    fill()
    await new Promise((resolve) => setTimeout(resolve, 500))
    assert.equal((await machine.runtime.get(run.instance))?.run?.state, 'running')
    free()
    const lastLine = async (): Promise<string> => (await machine.runtime.tail(run.instance, 400)).trim().split('\n').at(-1) ?? ''
    const before = await lastLine()
    await eventually(async () => assert.notEqual(await lastLine(), before))
    await machine.runtime.killTree(run.id)
    await machine.exited(run.instance)
    await eventually(() => {
      const kept = readdirSync(directory).map((name) => statSync(join(directory, name)))
      const blocks = kept.reduce((sum, { blocks: each }) => sum + each, 0)
      assert.ok(blocks * 512 < 8 * 256 * 1024, `${blocks * 512} bytes: ${readdirSync(directory).join(' ')}`)
    })
    const lines = (await machine.logs(run.instance)).trim().split('\n')
    assert.ok(lines.length > 10, `${lines.length} lines`)
  })
})
