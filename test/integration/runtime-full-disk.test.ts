import assert from 'node:assert/strict'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { TestMachine } from '../support/posix-runtime.ts'
import { noSmallDisk, SmallDisk } from '../support/small-disk.ts'

describe('a disk that is full, seen by programs', { skip: noSmallDisk }, () => {
  let disk: SmallDisk
  let machine: TestMachine
  before(async () => {
    disk = new SmallDisk()
    machine = new TestMachine({ dataDir: join(disk.path, 'data') })
    await machine.open()
  })
  after(async () => {
    disk.free()
    await machine.destroy()
    disk.remove()
  })

  test('they run on, their ends are told, and they start again', async () => {
    const run = await machine.startRunning(['sleep', '1000'])
    await machine.runtime.saveNote(run.instance, 'before')
    disk.fill()
    await machine.runtime.signal(run.id, 'QUIT', 'Main')
    const { exit } = await machine.exited(run.instance)
    assert.equal(exit.by === 'signal' && exit.signal, 'QUIT')
    const again = await machine.startRunning(['sleep', '1000'], { instance: run.instance })
    await machine.runtime.killTree(again.id)
    assert.equal((await machine.runtime.get(run.instance))?.note, 'before')
    await machine.runtime.remove(run.instance)
    disk.free()
  })

  test('a first start is refused with the reason, and works when there is space', async () => {
    disk.fill()
    const configs = Array.from({ length: 3 }, () => machine.config(['sleep', '1000'], { env: { PATH: '/bin', BIG: 'x'.repeat(100_000) } }))
    for (const config of configs) await assert.rejects(machine.runtime.start(config), /ENOSPC|no space left/i)
    disk.free()
    for (const config of configs) {
      const run = await machine.runtime.start(config)
      assert.equal(run.state, 'running')
      await machine.runtime.killTree(run.id)
      await machine.runtime.remove(run.instance)
    }
  })

  test('a log that can not be rotated goes on when there is space, and keeps its bound', async () => {
    const logs = { maxSize: 256 * 1024, maxFiles: 2, compress: false, mergeStderr: true }
    const script = 'i=0; while :; do i=$((i+1)); printf "line %0100d\\n" $i; done 2>/dev/null'
    const run = await machine.startRunning(['sh', '-c', script], { logs })
    const directory = join(machine.dataDir, 'logs', run.instance)
    await eventually(() => assert.ok(existsSync(join(directory, 'log.place')), 'its head has been taken off'))
    disk.fill()
    // The end of the live file stays where it is: whoever writes is told that there is no space.
    const size = (): number => statSync(join(directory, 'log')).size
    let last = -1
    await eventually(
      () => {
        const now = size()
        const isStill = now === last
        last = now
        assert.ok(isStill || now > 4 * 256 * 1024, 'it stands still')
      },
      { every: 100 },
    )
    assert.equal((await machine.runtime.get(run.instance))?.run?.state, 'running')
    disk.free()
    const lastLine = async (): Promise<string> => (await machine.runtime.tail(run.instance, 400)).trim().split('\n').at(-1) ?? ''
    const before = await lastLine()
    await eventually(async () => assert.notEqual(await lastLine(), before))
    await machine.runtime.killTree(run.id)
    await machine.exited(run.instance)
    await eventually(() => {
      const bytes = readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).blocks * 512, 0)
      assert.ok(bytes < 6 * 256 * 1024, `${bytes} bytes: ${readdirSync(directory).join(' ')}`)
    })
    assert.match(await lastLine(), /^line 0\d+$/)
  })
})
