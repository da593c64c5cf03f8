import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { arch } from 'node:os'
import { join } from 'node:path'
import nodeProcess from 'node:process'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { type Clock, systemClock } from '../../src/base/clock.ts'
import { eventually } from '../support/eventually.ts'
import { TestMachine } from '../support/posix-runtime.ts'

/** Its seconds are a fiftieth of a second, so that what is looked at every 30 s is looked at soon. */
const hasty: Clock = {
  now: () => systemClock.now(),
  monotonic: () => systemClock.monotonic() * 50,
  schedule: (delay, fn) => systemClock.schedule(delay / 50, fn),
}

const REMOVE_WATCH: Readonly<Record<string, number>> = { x64: 255, arm64: 28 }

describe('file events that never come', () => {
  let machine: TestMachine
  beforeEach(async () => {
    machine = new TestMachine({ clock: hasty })
    await machine.open()
  })
  afterEach(() => machine.destroy())

  test('a death is noticed although the kernel dropped its event among too many', async () => {
    const run = await machine.startRunning(['sleep', '1000'])
    const hints: string[] = []
    const stop = new AbortController()
    const reading = (async () => {
      for await (const instance of machine.runtime.changes(stop.signal)) hints.push(instance)
    })()
    // The loop is blocked meanwhile. Two files in turn, so that events are not joined; the queue holds 16,384.
    const script =
      'cd "$1" && exec 5>>one 6>>two; i=0; while [ $i -lt 12000 ]; do echo >&5; echo >&6; i=$((i+1)); done; kill -9 "$2"; sleep 0.2'
    const directory = join(machine.dataDir, 'run', run.instance)
    assert.equal(spawnSync('sh', ['-c', script, 'sh', directory, String(run.pid)]).status, 0)
    await eventually(() => assert.ok(hints.includes(run.instance), 'the death was hinted at without anybody asking'))
    const { exit } = await machine.exited(run.instance)
    assert.equal(exit.by === 'signal' && exit.signal, 'KILL')
    stop.abort()
    await reading
  })

  test('a death is noticed although its watch was removed, and the next one by an event again', { skip: noRemoval() }, async () => {
    const first = await machine.startRunning(['sleep', '1000'])
    assert.equal(removeWatches(join(machine.dataDir, 'run', first.instance)), 1)
    const stop = new AbortController()
    const hints = machine.runtime.changes(stop.signal)[Symbol.asyncIterator]()
    nodeProcess.kill(first.pid, 'SIGKILL')
    assert.equal((await hints.next()).value, first.instance)
    const { exit } = await machine.exited(first.instance)
    assert.equal(exit.by === 'signal' && exit.signal, 'KILL')
    assert.equal(watchesOf(join(machine.dataDir, 'run', first.instance)).length, 1, 'it is watched anew')
    stop.abort()
  })
})

interface Watch {
  /** The descriptor of this process that events are read from. */
  readonly inotify: number
  readonly watch: number
}

/** The watches of this process on a directory, as the kernel lists them. */
function watchesOf(directory: string): readonly Watch[] {
  const inode = statSync(directory).ino.toString(16)
  return readdirSync('/proc/self/fdinfo').flatMap((fd) => {
    const watches = textOf(`/proc/self/fdinfo/${fd}`).matchAll(/^inotify wd:(\S+) ino:(\S+) /gm)
    return [...watches].flatMap(([, watch = '', ino]) =>
      ino === inode ? [{ inotify: Number(fd), watch: Number.parseInt(watch, 16) }] : [],
    )
  })
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // The descriptor by which the directory was listed.
    return ''
  }
}

/** Has another process take the watches of this one away, as nobody but the kernel can do here. Gives how many. */
function removeWatches(directory: string): number {
  const watches = watchesOf(directory)
  for (const { inotify, watch } of watches) {
    // pidfd_open, pidfd_getfd and inotify_rm_watch.
    const script =
      'my $fd = syscall(438, syscall(434, $ARGV[0]+0, 0), $ARGV[1]+0, 0); exit(syscall($ARGV[3]+0, $fd, $ARGV[2]+0) == 0 ? 0 : 1)'
    const words = [nodeProcess.pid, inotify, watch, REMOVE_WATCH[arch()]].map(String)
    assert.equal(spawnSync('perl', ['-e', script, ...words]).status, 0)
  }
  return watches.length
}

function noRemoval(): string | false {
  if (REMOVE_WATCH[arch()] === undefined) return `NOT TESTED: the number of inotify_rm_watch on ${arch()} is not known here`
  if (nodeProcess.getuid?.() !== 0) return 'NOT TESTED: only root can reach into another process'
  return spawnSync('perl', ['-e', '1']).status === 0 ? false : 'NOT TESTED: there is no perl to make system calls with'
}
