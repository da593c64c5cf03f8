import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { findTools } from '../../src/runtime/host.ts'
import { MOUNT_SCRIPT, mountWords, planMounts } from '../../src/runtime/mount-plan.ts'
import { parseMounts, visibleMounts } from '../../src/runtime/mount-table.ts'
import { type ExecConfig, type InstanceId, type LaunchConfig, type RunConfig, StartError } from '../../src/runtime/runtime.ts'
import { eventually } from '../support/eventually.ts'
import { TestMachine } from '../support/posix-runtime.ts'

const machine = new TestMachine()
const place = mkdtempSync(join(tmpdir(), 'pmk-mounts-'))
const [open, closed, secret] = ['open', 'closed', 'secret'].map((name) => join(place, name)) as [string, string, string]
let gap: string | undefined

before(async () => {
  await machine.open()
  gap = machine.runtime.hostGaps().find(({ field }) => field === 'mounts')?.message
  chmodSync(place, 0o755)
  for (const directory of [open, closed, secret]) {
    mkdirSync(join(directory, 'sub dir\\#'), { recursive: true })
    chmodSync(directory, 0o777)
  }
  writeFileSync(join(secret, 'key'), 'swordfish', { mode: 0o644 })
  symlinkSync(secret, join(place, 'link'))
})
after(async () => {
  await machine.destroy()
  rmSync(place, { recursive: true })
})

/** Runs a shell script once as a program and once as a command beside it, and gives what both wrote, which is the same. */
async function see(script: string, more: Partial<LaunchConfig> = {}): Promise<string[]> {
  const command: RunConfig['command'] = ['sh', '-c', script]
  const instance = randomUUID() as InstanceId
  const output = await machine.output(command, { ...more, instance })
  const config: ExecConfig = { ...machine.config(command, { ...more, instance }), timeout: 10_000 }
  const { output: beside } = await machine.runtime.exec(config, AbortSignal.timeout(20_000))
  assert.equal(beside, output)
  return output.trim().split('\n')
}

const write = (...paths: string[]): string =>
  paths.map((path) => `touch '${path}/probe' 2>/dev/null && echo writable && rm '${path}/probe' || echo closed`).join('\n')

describe('what a program sees of the file system', { concurrency: false }, () => {
  const rooted = (title: string, body: () => Promise<void>): void => {
    test(title, async (context) => {
      if (gap !== undefined) context.skip(gap)
      else await body()
    })
  }

  rooted('a read-only path can not be written to, all else can', async () => {
    const script = write(closed, join(closed, 'sub dir\\#'), open)
    assert.deepEqual(await see(script, { readOnlyPaths: [closed] }), ['closed', 'closed', 'writable'])
    assert.deepEqual(await see(write(join(closed, 'sub dir\\#'), closed), { readOnlyPaths: [join(closed, 'sub dir\\#')] }), [
      'closed',
      'writable',
    ])
  })

  rooted('the whole file system is read-only but for what is named, and the deeper path decides', async () => {
    const deep = join(open, 'sub dir\\#')
    const view = { readOnlyPaths: ['/', deep], writablePaths: [open] }
    assert.deepEqual(await see(write('/root', '/var/tmp', closed, deep, open, '/dev/shm'), view), [
      'closed',
      'closed',
      'closed',
      'closed',
      'writable',
      'closed',
    ])
    assert.deepEqual(await see('echo here; echo there >/dev/null; ls /proc/self/fd >/dev/null && echo ok', view), ['here', 'ok'])
  })

  rooted('hidden files and directories are there, empty, and nobody may read or write them', async () => {
    const key = join(secret, 'key')
    assert.deepEqual(await see(`cat '${key}' | wc -c; stat -c %a '${key}'; ${write(secret)}`, { hiddenPaths: [key] }), [
      '0',
      '0',
      'writable',
    ])
    assert.deepEqual(await see(`ls -A '${secret}' | wc -l; stat -c %a '${secret}'; ${write(secret)}`, { hiddenPaths: [secret] }), [
      '0',
      '0',
      'closed',
    ])
    const identity = await machine.runtime.resolveIdentity({ user: 'nobody' })
    const lines = await see(`ls '${secret}'; cat '${key}'`, { hiddenPaths: [join(place, 'link'), key], identity })
    assert.equal(lines.length, 2)
    for (const line of lines) assert.match(line, /Permission denied/)
  })

  rooted("even the server's own directory can be hidden, together with others", async () => {
    const script = `ls -A '${machine.dataDir}' '${secret}' | grep -c pmk.sock; ls -A '${machine.dataDir}' | wc -l`
    assert.deepEqual(await see(script, { hiddenPaths: [machine.dataDir, secret], privateTmp: false }), ['0', '0'])
  })

  rooted('nothing of it reaches the host or another program', async () => {
    const table = readFileSync('/proc/self/mountinfo', 'utf8')
    const view = { readOnlyPaths: ['/'], hiddenPaths: [secret], privateTmp: true }
    const run = await machine.startRunning(['sleep', '1000'], view)
    assert.equal(readFileSync('/proc/self/mountinfo', 'utf8'), table)
    assert.deepEqual(await see(`cat '${join(secret, 'key')}'; echo; ${write(closed)}`), ['swordfish', 'writable'])
    await machine.runtime.killTree(run.id)
    await machine.runtime.remove(run.instance)
    assert.equal(readFileSync('/proc/self/mountinfo', 'utf8'), table)
  })

  rooted('a private /tmp is shared by the program and its commands, kept over restarts, and deleted with the Instance', async () => {
    const instance = randomUUID() as InstanceId
    const identity = await machine.runtime.resolveIdentity({ user: 'nobody' })
    const view = { privateTmp: true, instance, readOnlyPaths: ['/'], workingDir: '/tmp' }
    const exec = async (script: string): Promise<string> => {
      const config = { ...machine.config(['sh', '-c', script], { ...view, identity }), timeout: 10_000 }
      return (await machine.runtime.exec(config, AbortSignal.timeout(20_000))).output
    }
    assert.equal(
      await exec('ls -A /tmp /var/tmp | wc -w; echo hook >made; echo x >/var/tmp/other; stat -c %a,%U . /var/tmp'),
      '2\n1777,root\n1777,root\n',
    )
    assert.ok(!existsSync('/tmp/made') && !existsSync('/var/tmp/other'), 'the host sees nothing of it')
    assert.equal(await machine.output(['sh', '-c', 'cat made; rm made; echo program >mine'], { ...view, identity }), 'hook\n')
    assert.equal(await machine.output(['sh', '-c', 'ls; cat mine'], { ...view, identity }), 'mine\nprogram\n')
    assert.equal(await exec('cat mine'), 'program\n')
    const directory = join(machine.dataDir, 'tmp', instance)
    assert.equal(statSync(join(machine.dataDir, 'tmp')).mode & 0o777, 0o700)
    assert.deepEqual(readdirSync(directory).sort(), ['tmp', 'var-tmp'])
    await machine.runtime.remove(instance)
    assert.ok(!existsSync(directory), 'it went with its Instance')
  })

  rooted('what a command ahead of the first start made goes too', async () => {
    const config = { ...machine.config(['touch', '/tmp/x'], { privateTmp: true }), timeout: 10_000 }
    await machine.runtime.exec(config, AbortSignal.timeout(20_000))
    assert.ok(existsSync(join(machine.dataDir, 'tmp', config.instance, 'tmp', 'x')), 'made in the private place')
    await machine.runtime.remove(config.instance)
    assert.ok(!existsSync(join(machine.dataDir, 'tmp', config.instance)), 'it is gone')
  })

  rooted('users, capabilities, limits and a session of its own work with it', async () => {
    const identity = await machine.runtime.resolveIdentity({ user: 'nobody' })
    const view = {
      ...{ readOnlyPaths: ['/'], privateTmp: true, identity, noNewPrivileges: true, nice: 3, umask: '0027', workingDir: '/usr' },
      rlimits: { nproc: { soft: 60, hard: 60 }, nofile: { soft: 30, hard: 40 } },
      capabilities: { add: ['NET_BIND_SERVICE'], drop: ['ALL'] },
      env: { PATH: '/usr/bin:/bin', LD_PRELOAD: '', SECRET: "it's" },
    }
    const script =
      'id -u; grep -E "^(NoNewPrivs|CapEff|CapBnd)" /proc/self/status; nice; umask; pwd; ulimit -n; echo "$SECRET"; mount -t tmpfs x /mnt 2>/dev/null || echo no'
    assert.deepEqual(await see(script, view), [
      '65534',
      'CapEff:\t0000000000000400',
      'CapBnd:\t0000000000000400',
      'NoNewPrivs:\t1',
      '3',
      '0027',
      '/usr',
      '30',
      "it's",
      'no',
    ])
    const [pid, , , , pgrp, session] = (await machine.output(['cat', '/proc/self/stat'], view)).split(' ')
    assert.deepEqual([pgrp, session], [pid, pid])
    assert.match(await machine.output(['sh', '-c', 'exit 7'], view), /^$/)
    const died = await machine.start(['sh', '-c', 'kill -KILL $$'], view)
    const { exit } = await machine.exited(died.instance)
    assert.equal(exit.by === 'signal' ? exit.signal : exit.by, 'KILL')
  })

  rooted('commands beside a running program see its very mounts, with their own user and directory', async () => {
    const identity = await machine.runtime.resolveIdentity({ user: 'nobody' })
    const view = { readOnlyPaths: ['/usr'], privateTmp: true, env: { PATH: '/usr/bin:/bin', SECRET: "it's" } }
    const run = await machine.startRunning(['sh', '-c', 'mount -t tmpfs -o mode=755 mine /mnt && touch /mnt/made && exec sleep 1000'], view)
    await eventually(async () => assert.match(readFileSync(`/proc/${run.pid}/cmdline`, 'latin1'), /^sleep/))
    const exec = async (script: string, more: Partial<ExecConfig> = {}): Promise<string> => {
      const config = { ...machine.config(['sh', '-c', script], { ...view, ...more, instance: run.instance }), timeout: 10_000 }
      return (await machine.runtime.exec(config, AbortSignal.timeout(20_000))).output
    }
    const script =
      'ls /mnt; pwd; id -u; echo "$SECRET"; readlink /proc/self/fd/* | grep -v /dev/null; touch /usr/x 2>/dev/null || echo closed'
    const seen = await exec(script, { identity, workingDir: '/mnt' })
    // Nothing is open but standard input, the pipe to grep, and what the server reads the output from.
    assert.match(seen, /^made\n\/mnt\n65534\nit's\npipe:\[\d+\]\nsocket:\[\d+\]\nclosed\n$/)
    const before = readdirSync('/proc/self/fd').length
    await exec('true')
    assert.equal(readdirSync('/proc/self/fd').length, before)
    await machine.runtime.killTree(run.id)
    assert.equal(await exec('test -e /mnt/made || echo gone; touch /usr/x 2>/dev/null || echo closed'), 'gone\nclosed\n')
  })

  rooted('a command that comes while the program is still being mounted for has all mounts', async () => {
    for (let round = 0; round < 5; round++) {
      const run = await machine.startRunning(['sleep', '1000'], { readOnlyPaths: ['/'], hiddenPaths: [secret] })
      const more = { readOnlyPaths: ['/'], hiddenPaths: [secret], instance: run.instance }
      const config = { ...machine.config(['sh', '-c', `ls -A ${secret}; ${write(closed)}`], more), timeout: 10_000 }
      assert.equal((await machine.runtime.exec(config, AbortSignal.timeout(20_000))).output, 'closed\n')
      await machine.runtime.killTree(run.id)
    }
  })

  rooted('a link that is put into a path meanwhile leads to no start', async () => {
    const path = join(place, 'swapped')
    mkdirSync(path)
    const covers = { directory: closed, file: join(secret, 'key') }
    const plan = planMounts(
      { readOnlyPaths: ['/'], writablePaths: [path], hiddenPaths: [], privatePaths: new Map() },
      visibleMounts(parseMounts(readFileSync('/proc/self/mountinfo', 'utf8'))),
      covers,
    )
    const { tools, shell } = findTools()
    const launch = (): { readonly status: number | null; readonly stdout: string; readonly stderr: string } => {
      const words = [shell, '-c', MOUNT_SCRIPT, 'x', tools.get('mount') ?? '', '/', ...mountWords(plan), '--', 'echo', 'started']
      return spawnSync(tools.get('unshare') ?? '', ['--mount', '--propagation', 'slave', '--', ...words], { encoding: 'utf8' })
    }
    assert.equal(launch().stdout, 'started\n')
    rmdirSync(path)
    symlinkSync(secret, path)
    const { status, stdout, stderr } = launch()
    assert.deepEqual({ status, stdout }, { status: 126, stdout: '' })
    assert.match(stderr, /swapped could not be mounted as securityContext asks/)
  })

  rooted('a path that is not there is said before anything runs', async () => {
    for (const field of ['readOnlyPaths', 'writablePaths', 'hiddenPaths'] as const) {
      const config = machine.config(['true'], { readOnlyPaths: ['/'], [field]: ['/no/such/place'] })
      await assert.rejects(machine.runtime.start(config), (err) => {
        assert.ok(err instanceof StartError, String(err))
        assert.equal(err.reason, 'PathMissing')
        assert.equal(err.message, `securityContext.${field}: /no/such/place: no such file or directory`)
        return true
      })
      assert.equal(await machine.runtime.get(config.instance), undefined)
    }
  })
})
