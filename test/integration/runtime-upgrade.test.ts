import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import nodeProcess from 'node:process'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { bootId } from '../../src/base/boot-id.ts'
import { parseStat, readStat } from '../../src/runtime/proc-stat.ts'
import { type InstanceId, runId } from '../../src/runtime/runtime.ts'
import { eventually } from '../support/eventually.ts'
import { type RunningRun, TestMachine } from '../support/posix-runtime.ts'

/** The launcher and shim of format 1, word for word but for their comments: such shims are up on hosts that are upgraded. */
const FORMAT_1 = `shim() {
  cd "$1" && exec 9<>ctl || exit
  IFS= read -r st </proc/self/stat && echo "$st" 1<>shim
  kill -9 "$2"
  trap : HUP INT TERM
  last=0
  while :; do
    read -r verb run <&9 || continue
    case $verb in
    run)
      [ "$run" -gt "$last" ] || continue
      last=$run
      { ( IFS= read -r st </proc/self/stat; echo "$run $st" 1<>pid; . "./$run.sh" ) 9<&- </dev/null >>log 2>&1
        echo "$run $?" >&2
      } 2<>exit ;;
    end) exit 0 ;;
    esac
  done
}
while IFS= read -r dir; do
  ( ( read -r _ _ _ parent _ </proc/self/stat; shim "$dir" "$parent" ) </dev/null >/dev/null 2>&1; : ) 2>/dev/null
done 2>/dev/null
`

describe('a server that takes over shims of format 1', () => {
  const instance = '11111111-2222-4333-8444-555555555555' as InstanceId
  let machine: TestMachine
  let directory: string

  beforeEach(() => {
    machine = new TestMachine()
    directory = join(machine.dataDir, 'run', instance)
  })
  afterEach(() => machine.destroy())

  const shimPid = (): number => Number(readFileSync(join(directory, 'shim'), 'utf8').split(' ')[0])
  const secrets = (): string[] =>
    readdirSync(directory).filter((name) => /\.sh$|^launch/.test(name) && readFileSync(join(directory, name), 'utf8').trim() !== '')

  /** What a server of that time left: a directory with its shim, and attempt 1 written down but not asked for. */
  async function leaveBehind(): Promise<void> {
    const logs = join(machine.dataDir, 'logs', instance)
    for (const each of [directory, logs]) mkdirSync(each, { recursive: true, mode: 0o700 })
    execFileSync('mkfifo', [join(directory, 'ctl')])
    writeFileSync(join(directory, 'shim'), `${' '.repeat(512)}\n1 ${bootId()}\n`)
    for (const name of ['pid', 'exit']) writeFileSync(join(directory, name), ' '.repeat(512))
    writeFileSync(join(logs, 'log'), '')
    symlinkSync(join(logs, 'log'), join(directory, 'log'))
    const launcher = spawn('sh', ['-c', 'exec sh "$0"', await script()], { stdio: ['pipe', 'ignore', 'ignore'] })
    launcher.stdin.end(`${directory}\n`)
    await once(launcher, 'exit')
    await eventually(() => assert.notEqual(parseStat(readFileSync(join(directory, 'shim'), 'utf8').split('\n')[0] ?? ''), undefined))
    const file = {
      ...{
        id: runId(instance, 1),
        attempt: 1,
        startedAt: new Date().toISOString(),
        startedAtMonotonic: performance.now(),
        bootId: bootId(),
      },
      ...{ namespace: 'default', name: 'program', logs: { maxSize: 1_048_576, maxFiles: 1, compress: false, mergeStderr: true } },
    }
    writeFileSync(join(directory, '1.sh'), `cd /; export SECRET=xyz; exec setsid sleep 1000\n`)
    writeFileSync(join(directory, 'run.json'), `${JSON.stringify(file)}\n`)
    writeFileSync(join(directory, 'note'), '')
  }

  async function script(): Promise<string> {
    const directory = join(machine.dataDir, 'old')
    mkdirSync(directory, { recursive: true })
    writeFileSync(join(directory, 'pmk-launcher'), FORMAT_1)
    return join(directory, 'pmk-launcher')
  }

  test('finishes the start that was under way, restarts through the same shim, and leaves no text to read', async () => {
    await leaveBehind()
    const shim = shimPid()
    await machine.open()
    const first = (await machine.runtime.get(instance))?.run as RunningRun
    assert.equal(first.state, 'running')
    assert.equal(readStat(first.pid)?.ppid, shim)
    await machine.runtime.saveNote(instance, 'a note')
    nodeProcess.kill(first.pid, 'SIGKILL')
    await machine.exited(instance)
    const config = { ...machine.config(['sleep', '1001'], { instance }), id: runId(instance, 2), env: { SECRET: 'xyz' } }
    const second = (await machine.runtime.start(config)) as RunningRun
    assert.equal(readStat(second.pid)?.ppid, shim)
    await eventually(() => assert.deepEqual(secrets(), []))
    await machine.reopen()
    assert.deepEqual((await machine.runtime.get(instance))?.run, second)
    assert.equal((await machine.runtime.get(instance))?.note, 'a note')
  })

  test('when the shim is lost, the next one is of today, also for the server after this', async () => {
    await leaveBehind()
    await machine.open()
    const old = shimPid()
    const first = (await machine.runtime.get(instance))?.run as RunningRun
    nodeProcess.kill(old, 'SIGKILL')
    nodeProcess.kill(first.pid, 'SIGKILL')
    await machine.exited(instance)
    const start = async (attempt: number): Promise<RunningRun> => {
      const config = { ...machine.config(['sleep', '1000'], { instance }), id: runId(instance, attempt) }
      return (await machine.runtime.start(config)) as RunningRun
    }
    const second = await start(2)
    assert.equal(second.state, 'running')
    assert.notEqual(shimPid(), old)
    await machine.reopen()
    nodeProcess.kill(second.pid, 'SIGKILL')
    await machine.exited(instance)
    assert.equal((await start(3)).state, 'running')
    assert.equal(existsSync(join(directory, '3.sh')), false)
    await eventually(() => assert.deepEqual(secrets(), []))
  })

  test('a start that was written down and whose shim is lost too is finished by one of today', async () => {
    await leaveBehind()
    nodeProcess.kill(shimPid(), 'SIGKILL')
    await machine.open()
    const run = (await machine.runtime.get(instance))?.run as RunningRun
    assert.equal(run.state, 'running')
    // Between its record and its exec it is still the shim's fork.
    await eventually(() => assert.match(readFileSync(`/proc/${run.pid}/environ`, 'utf8'), /SECRET=xyz/))
    await eventually(() => assert.deepEqual(secrets(), []))
  })
})
