import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { InstanceId, LogConfig, Notice } from '../../src/runtime/runtime.ts'
import { eventually } from '../support/eventually.ts'
import { TestMachine } from '../support/posix-runtime.ts'
import { noSmallDisk, SmallDisk } from '../support/small-disk.ts'
import { sourceProgram } from '../support/source-program.ts'

const MIB = 1024 * 1024
const logs = (more: Partial<LogConfig> = {}): LogConfig => ({ maxSize: MIB, maxFiles: 1000, compress: true, mergeStderr: true, ...more })
/** Writes so many numbered lines of 100 bytes. */
const counting = (lines: number): [string, ...string[]] => ['awk', `BEGIN { for (i = 0; i < ${lines}; i++) printf "%099d\\n", i }`]

/** Fails unless the text counts from `first` without a gap. Gives the number behind the last. */
function checkCount(text: string, first: number): number {
  let expected = first
  for (const line of text.split('\n').slice(0, -1)) assert.equal(line, String(expected++).padStart(99, '0'))
  assert.ok(text.endsWith('\n'))
  return expected
}

describe('logs', () => {
  const machine = new TestMachine()
  before(() => machine.open())
  after(() => machine.destroy())

  const directory = (instance: InstanceId): string => join(machine.dataDir, 'logs', instance)

  test('a follower of a fast writer gets each byte once, across rotations', async () => {
    const config = machine.config(counting(200_000), { logs: logs() })
    const stop = new AbortController()
    const pieces: Uint8Array[] = []
    const following = (async () => {
      for await (const { bytes } of machine.runtime.logs(config.instance, { follow: true, signal: stop.signal })) pieces.push(bytes)
    })()
    await machine.runtime.start(config)
    await machine.exited(config.instance)
    await eventually(() =>
      assert.equal(
        pieces.reduce((sum, piece) => sum + piece.length, 0),
        20_000_000,
      ),
    )
    stop.abort()
    await following
    assert.equal(checkCount(Buffer.concat(pieces).toString(), 0), 200_000)
    await eventually(() => assert.ok(statSync(join(directory(config.instance), 'log')).size < MIB))
    assert.equal(checkCount(await machine.logs(config.instance), 0), 200_000)
    assert.equal(checkCount(await machine.logs(config.instance, { tailLines: 15_000 }), 185_000), 200_000)
  })

  test('the disk that a log takes stays near its limit, however fast it grows, and its end is whole', async () => {
    const run = await machine.start(counting(600_000), { logs: logs({ maxFiles: 2 }) })
    await machine.exited(run.instance)
    const used = (): number =>
      readdirSync(directory(run.instance))
        .filter((name) => /^log(\.\d+-\d+(\.gz)?)?$/.test(name))
        .reduce((sum, name) => sum + statSync(join(directory(run.instance), name)).blocks * 512, 0)
    await eventually(() => assert.ok(used() <= 3 * MIB + 65_536, String(used())))
    const text = await machine.logs(run.instance)
    const whole = text.slice(text.indexOf('\n') + 1)
    assert.ok(whole.length > MIB / 2)
    assert.equal(whole.slice(-100), `${String(599_999).padStart(99, '0')}\n`)
  })

  test('output that had to be dropped is told of', async () => {
    const stop = new AbortController()
    const notices: Notice[] = []
    const noticing = (async () => {
      for await (const notice of machine.runtime.notices(stop.signal)) notices.push(notice)
    })()
    const run = await machine.start(counting(100_000), { logs: logs({ maxSize: 100 * MIB }) })
    await machine.exited(run.instance)
    // Ten megabytes lie there, of which a quarter may stay: as after a flood.
    machine.runtime.configureLogs(run.instance, logs({ maxFiles: 2 }))
    // Others that share the machine may have something to tell, too.
    const told = (): Notice | undefined => notices.find(({ instance }) => instance === run.instance)
    await eventually(() => assert.ok(told(), 'no notice'))
    stop.abort()
    await noticing
    assert.equal(told()?.reason, 'LogDropped')
    assert.match(told()?.message ?? '', /^\d{7} bytes of output were dropped/)
  })

  test('limits changed while the program runs are taken up', async () => {
    const run = await machine.startRunning(
      [
        'sh',
        '-c',
        `${counting(20_000)
          .map((word) => `'${word}'`)
          .join(' ')}; exec sleep 1000`,
      ],
      { logs: logs({ maxSize: 50 * MIB }) },
    )
    await eventually(async () => assert.equal(statSync(join(directory(run.instance), 'log')).size, 2_000_000))
    machine.runtime.configureLogs(run.instance, logs())
    await eventually(() => assert.ok(statSync(join(directory(run.instance), 'log')).size < MIB))
    assert.equal(checkCount(await machine.logs(run.instance), 0), 20_000)
    await machine.runtime.killTree(run.id)
  })

  test('--since and --timestamps go by when a line was written, to about a second', async () => {
    const run = await machine.startRunning(['sh', '-c', 'echo early; sleep 2.6; echo late; exec sleep 1000'])
    await eventually(async () => assert.equal(await machine.logs(run.instance), 'early\nlate\n'))
    const stamped = (await machine.logs(run.instance, { timestamps: true })).split('\n')
    const [early = '', late = ''] = stamped.map((line) => line.slice(0, 24))
    assert.match(stamped[0] ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z early$/)
    const apart = Date.parse(late) - Date.parse(early)
    assert.ok(apart > 1_400 && apart < 4_200, `${early} ${late}`)
    assert.equal(await machine.logs(run.instance, { since: new Date(Date.parse(late) - 500).toISOString() }), 'late\n')
    assert.equal(await machine.logs(run.instance, { since: run.startedAt }), 'early\nlate\n')
    assert.equal(await machine.logs(run.instance, { since: new Date(Date.now() + 60_000).toISOString() }), '')
    await machine.runtime.killTree(run.id)
  })

  test('reading goes on behind a cursor, over rotations and another server, with times only where lines begin', async () => {
    const run = await machine.start(counting(60_000), { logs: logs() })
    await machine.exited(run.instance)
    await eventually(() => assert.ok(statSync(join(directory(run.instance), 'log')).size < MIB))
    let cursor = ''
    let before = Buffer.alloc(0)
    for await (const piece of machine.runtime.logs(run.instance, { limitBytes: 3_000_050, signal: AbortSignal.timeout(60_000) })) {
      // The limit may cut a piece short of its cursor: only whole ones count.
      if (before.length + piece.bytes.length >= 3_000_000) break
      before = Buffer.concat([before, piece.bytes])
      cursor = piece.cursor
    }
    await machine.reopen()
    const rest = await machine.logBytes(run.instance, { cursor })
    assert.equal(checkCount(Buffer.concat([before, rest]).toString(), 0), 60_000)
    assert.notEqual(before.length % 100, 0, 'the cursor should lie within a line')
    const [first = '', second = ''] = (await machine.logs(run.instance, { cursor, timestamps: true })).split('\n', 2)
    assert.match(first, /^\d+$/)
    assert.match(second, /^\d{4}-\d\d-\d\dT[\d:.]+Z \d{99}$/)
  })

  test('what was rotated away before it was read is counted', async () => {
    const run = await machine.start(counting(60_000), { logs: logs({ maxFiles: 1 }) })
    await machine.exited(run.instance)
    await eventually(() => assert.ok(statSync(join(directory(run.instance), 'log')).size < MIB))
    let read = 0
    let skipped = 0
    for await (const piece of machine.runtime.logs(run.instance, { cursor: '0.0', signal: AbortSignal.timeout(60_000) })) {
      read += piece.bytes.length
      skipped += piece.skipped
    }
    assert.ok(skipped > 0, 'nothing was rotated away')
    assert.equal(read + skipped, 6_000_000)
  })

  test('a program that empties its own log by opening it anew goes on being followed', async () => {
    const go = join(machine.dataDir, 'go')
    const run = await machine.startRunning([
      'sh',
      '-c',
      `echo one; while ! [ -e ${go} ]; do sleep 0.02; done; echo 2 >/dev/stdout; exec sleep 1000`,
    ])
    const stop = new AbortController()
    let seen = ''
    const following = (async () => {
      for await (const { bytes } of machine.runtime.logs(run.instance, { follow: true, signal: stop.signal })) seen += Buffer.from(bytes)
    })()
    await eventually(() => assert.equal(seen, 'one\n'))
    // The look that keeps the books comes once a second at the latest while a log is young.
    await eventually(() => assert.ok(existsSync(join(directory(run.instance), 'log.idx'))))
    writeFileSync(go, '')
    await eventually(() => assert.equal(seen, 'one\n2\n'))
    stop.abort()
    await following
    await machine.runtime.killTree(run.id)
  })

  // A log that can only be punched begins anew with a program, and what was left of the one before wrote into nowhere.
  test('what a forking program left behind is still heard when the next one has started', { skip: noSmallDisk }, async () => {
    const disk = new SmallDisk()
    const other = new TestMachine({ dataDir: join(disk.path, 'data') })
    try {
      await other.open()
      const [pidFile, go] = [join(disk.path, 'pid'), join(disk.path, 'go')]
      const late = 'while ! [ -e "$2" ]; do sleep 0.01; done; echo late; exec sleep 1000'
      const script = `seq 1 40000; (${late}) & sleep 1000 & echo $! >"$1"`
      const config = {
        forking: { pidFile },
        logs: logs({ maxSize: 8 * 1024 }),
      }
      const first = await other.start(['sh', '-c', script, 'sh', pidFile, go], config)
      const pid = await eventually(async () => {
        const run = (await other.runtime.get(first.instance))?.run
        const named = Number(existsSync(pidFile) ? readFileSync(pidFile, 'utf8') : 0)
        assert.ok(run?.state === 'running' && run.pid === named, 'the daemon is found')
        return run.pid
      })
      process.kill(pid, 'SIGKILL')
      assert.equal((await other.exited(first.instance)).leftovers, true)
      rmSync(pidFile)
      await other.start(['sh', '-c', 'echo again; sleep 1000 & echo $! >"$1"', 'sh', pidFile], { ...config, instance: first.instance })
      await eventually(async () => assert.equal(await other.logs(first.instance), 'again\n'))
      writeFileSync(go, '')
      await eventually(async () => assert.equal(await other.logs(first.instance), 'again\nlate\n'))
      assert.equal((await other.logs(first.instance, { previous: true })).slice(-12), '39999\n40000\n')
    } finally {
      await other.destroy()
      disk.remove()
    }
  })

  test('logs have a link by name, survive a restart of the server, and go with their Instance when that is asked', async () => {
    const run = await machine.start(['echo', 'hello'], { namespace: 'shop', name: 'web-0' })
    await machine.exited(run.instance)
    const link = join(machine.dataDir, 'logs', 'by-name', 'shop', 'web-0', 'log')
    assert.equal(readFileSync(link, 'utf8'), 'hello\n')
    await machine.reopen()
    assert.equal(await machine.logs(run.instance), 'hello\n')
    assert.equal(await machine.runtime.tail(run.instance, 3), 'lo\n')
    await machine.runtime.remove(run.instance)
    assert.equal(existsSync(directory(run.instance)), false)
    assert.equal(existsSync(link), false)
  })

  test('a name that would lead elsewhere makes no link', async () => {
    const run = await machine.start(['true'], { namespace: '..', name: '../../x' })
    await machine.exited(run.instance)
    assert.equal(readdirSync(join(machine.dataDir, 'logs', 'by-name')).includes('..'), false)
  })

  test('a server killed again and again while it rotates loses no line', async (t) => {
    const other = new TestMachine()
    t.after(() => other.destroy())
    const config = other.config(counting(400_000), { logs: logs({ maxSize: MIB / 4 }) })
    let server: ChildProcess | undefined
    for (const delay of [150, 90, 230, 40, 310]) {
      server = fork(sourceProgram('test/support/runtime-server.ts'), [other.dataDir, 'true'], { execArgv: [] })
      await once(server, 'message')
      server.send(config)
      await once(server, 'message')
      await new Promise((resolve) => setTimeout(resolve, delay))
      server.kill('SIGKILL')
      await once(server, 'exit')
    }
    await other.open()
    await other.exited(config.instance)
    await eventually(() => assert.ok(statSync(join(other.dataDir, 'logs', config.instance, 'log')).size < MIB / 4))
    assert.equal(checkCount(await other.logs(config.instance), 0), 400_000)
  })
})
