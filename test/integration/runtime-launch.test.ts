import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import nodeProcess from 'node:process'
import { after, before, describe, test } from 'node:test'
import { inheritedDescriptors } from '../../src/runtime/proc-stat.ts'
import { type InstanceId, type RunConfig, StartError } from '../../src/runtime/runtime.ts'
import { eventually } from '../support/eventually.ts'
import { TestMachine } from '../support/posix-runtime.ts'

const isRoot = nodeProcess.getuid?.() === 0
const rootOnly = { skip: isRoot ? false : 'needs root: this host runs the tests as another user' }

describe('how programs are launched', () => {
  const machine = new TestMachine()
  const place = mkdtempSync(join(tmpdir(), 'pmk-launch-'))
  before(() => machine.open())
  after(async () => {
    await machine.destroy()
    rmSync(place, { recursive: true })
  })

  const status = async (field: string, more: Partial<RunConfig> = {}): Promise<string> => {
    const text = await machine.output(['cat', '/proc/self/status'], more)
    return new RegExp(`^${field}:\\s*(.*)$`, 'm').exec(text)?.[1] ?? ''
  }
  const fails = async (reason: string, message: RegExp, command: RunConfig['command'], more: Partial<RunConfig> = {}): Promise<void> => {
    const config = machine.config(command, more)
    await assert.rejects(machine.runtime.start(config), (err) => {
      assert.ok(err instanceof StartError, String(err))
      assert.equal(err.reason, reason)
      assert.match(err.message, message)
      return true
    })
    assert.equal(await machine.runtime.get(config.instance), undefined)
  }

  test('arguments arrive byte for byte', async () => {
    const every = String.fromCharCode(...Array.from({ length: 127 }, (_, index) => index + 1))
    const words = ['', ' ', "it's", '"$HOME" `id` \\', 'two\nlines\n', '-n', '*', 'äöü €', every, "'", "''", '\\']
    const output = await machine.output(['sh', '-c', 'for word; do printf "%s\\0" "$word"; done', '-', ...words])
    assert.deepEqual(output.split('\0'), [...words, ''])
  })

  test('the environment is exactly the one asked for', async () => {
    const env = {
      PATH: '/bin',
      EMPTY: '',
      QUOTES: `it's "here" $HOME \`id\``,
      LINES: 'a\nb\n',
      IFS: ':',
      run: 'x',
      last: 'y',
      dir: 'z',
      PWD: '/nowhere',
      ENV: '/x',
      CDPATH: '/',
      OPTIND: '3',
    }
    const config = machine.config(['/usr/bin/env', '-0'], { env })
    const run = await machine.runtime.start(config)
    await machine.exited(run.instance)
    const output = await machine.logs(run.instance)
    const got = Object.fromEntries(
      output
        .split('\0')
        .slice(0, -1)
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    )
    assert.deepEqual(got, { ...env, PMK_RUN: config.id })
  })

  test('without PATH in the environment the program has none', async () => {
    const output = await machine.output(['/usr/bin/env'], { env: { A: '1' } })
    assert.deepEqual(
      output.split('\n').filter((line) => !line.startsWith('PMK_RUN=')),
      ['A=1', ''],
    )
  })

  test('a word of 131,071 bytes arrives, one more is refused before anything runs', async () => {
    assert.equal((await machine.output(['printf', '%s', 'x'.repeat(131_071)])).length, 131_071)
    await fails('ArgumentTooLong', /131072 bytes/, ['printf', '%s', 'x'.repeat(131_072)])
    const name = 'BIG'
    const count = 'printf %s "$BIG" | wc -c'
    assert.equal(await machine.output(['sh', '-c', count], { env: { PATH: '/bin', [name]: 'x'.repeat(131_071 - 4) } }), '131067\n')
    await fails('ArgumentTooLong', /BIG/, ['true'], { env: { [name]: 'x'.repeat(131_071 - 3) } })
  })

  test('what no shell can pass on is refused, without its value', async () => {
    const secret = 'hunter2'
    for (const name of ['my.var', '1A', 'A-B', '', 'A B']) {
      await fails('InvalidEnvironment', /^(?!.*hunter2)/, ['true'], { env: { [name]: secret } })
    }
    await fails('InvalidEnvironment', /OPTIND/, ['true'], { env: { OPTIND: secret } })
    await fails('InvalidEnvironment', /NUL/, ['true'], { env: { A: 'a\0b' } })
  })

  test('what can not be launched is said before anything runs', async () => {
    writeFileSync(join(place, 'data'), 'x')
    chmodSync(join(place, 'data'), 0o644)
    await fails('CommandNotFound', /"nosuch" is in none of \/usr\/bin, \/bin/, ['nosuch'])
    await fails('CommandNotFound', /no such file/, ['/no/such/program'])
    await fails('CommandNotExecutable', /not an executable file/, [join(place, 'data')])
    await fails('CommandNotExecutable', /not an executable file/, [place])
    await fails('WorkingDirMissing', /no such directory/, ['true'], { workingDir: '/no/such/dir' })
    await fails('WorkingDirMissing', /not a directory/, ['true'], { workingDir: join(place, 'data') })
    await fails('StdinMissing', /no such file/, ['true'], { stdinFile: '/no/such/file' })
  })

  test('a bare command is looked up in the search path and not in PATH', async () => {
    writeFileSync(join(place, 'mine'), '#!/bin/sh\necho mine "$0"\n', { mode: 0o755 })
    assert.equal(
      await machine.output(['mine'], { searchPath: ['/nowhere', place], env: { PATH: '/bin' } }),
      `mine ${join(place, 'mine')}\n`,
    )
    assert.equal(await machine.output(['./mine'], { workingDir: place, env: { PATH: '/bin' } }), `mine ${join(place, 'mine')}\n`)
  })

  test('standard input is empty, or the file asked for', async () => {
    writeFileSync(join(place, 'input'), 'from the file')
    assert.equal(await machine.output(['cat']), '')
    assert.equal(await machine.output(['cat'], { stdinFile: join(place, 'input') }), 'from the file')
  })

  test('working directory and umask are those asked for', async () => {
    assert.equal(await machine.output(['pwd']), '/\n')
    assert.equal(await machine.output(['sh', '-c', 'pwd; umask'], { workingDir: place, umask: '0027' }), `${place}\n0027\n`)
  })

  test('no signal is ignored or blocked, and no descriptor but the three is open', async () => {
    assert.match(await status('SigIgn'), /^0+$/)
    assert.match(await status('SigBlk'), /^0+$/)
    const open = (await machine.output(['ls', '/proc/self/fd'])).trim().split('\n').map(Number)
    // 3 is the directory that ls reads. In the place of what would leak from here stands /dev/null.
    const inherited = inheritedDescriptors()
    assert.deepEqual(open.filter((fd) => !inherited.includes(fd)).sort(), [0, 1, 2, 3])
  })

  test('a program leads a session of its own', async () => {
    const [pid, , , , pgrp, session] = (await machine.output(['cat', '/proc/self/stat'])).split(' ')
    assert.equal(pgrp, pid)
    assert.equal(session, pid)
  })

  test('the soft limit of open files is 1024 unless asked otherwise', async () => {
    assert.equal(await machine.output(['sh', '-c', 'ulimit -Sn']), '1024\n')
    const rlimits = { nofile: { soft: 512, hard: 600 }, core: { soft: 0, hard: 'unlimited' }, nproc: { soft: 4000, hard: 5000 } } as const
    const limits = await machine.output(['cat', '/proc/self/limits'], { rlimits })
    assert.match(limits, /^Max open files +512 +600 /m)
    assert.match(limits, /^Max core file size +0 +unlimited /m)
    assert.match(limits, /^Max processes +4000 +5000 /m)
  })

  test('niceness, I/O class, affinity and out-of-memory score are those asked for', async () => {
    const more = { nice: 7, ioPriority: { class: 'Idle' }, cpuAffinity: '0', oomScoreAdj: 321 } as const
    assert.equal(await machine.output(['nice'], more), '7\n')
    assert.equal(await machine.output(['ionice'], more), 'idle\n')
    assert.equal(await status('Cpus_allowed_list', more), '0')
    assert.equal(await machine.output(['cat', '/proc/self/oom_score_adj'], more), '321\n')
    assert.equal(await machine.output(['cat', '/proc/self/oom_score_adj']), readFileSync('/proc/self/oom_score_adj', 'utf8'))
  })

  test('standard error goes to a file of its own when asked', async () => {
    const logs = { maxSize: 1024 * 1024, maxFiles: 2, compress: false, mergeStderr: false }
    const run = await machine.start(['sh', '-c', 'echo out; echo err >&2'], { logs })
    await machine.exited(run.instance)
    const directory = join(machine.dataDir, 'logs', run.instance)
    assert.equal(readFileSync(join(directory, 'log'), 'utf8'), 'out\n')
    assert.equal(readFileSync(join(directory, 'log.err'), 'utf8'), 'err\n')
    assert.equal(await machine.logs(run.instance), 'out\nerr\n')
    assert.equal(await machine.runtime.tail(run.instance, 100), 'err\n')
  })

  test('secrets in the environment stand in no argument list, and no file is left that holds them', async () => {
    const secret = `secret-${randomUUID()}`
    const stop = new AbortController()
    const leaks: string[] = []
    const looking = (async () => {
      while (!stop.signal.aborted) {
        for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
          try {
            if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(secret)) leaks.push(pid)
          } catch {
            // Gone meanwhile.
          }
        }
        await new Promise((resolve) => setImmediate(resolve))
      }
    })()
    const env = { PATH: '/bin', DB_PASSWORD: secret }
    const users = isRoot ? [undefined, await machine.runtime.resolveIdentity({ user: 'nobody' })] : [undefined]
    for (const user of users) {
      const identity = user === undefined ? {} : { identity: user }
      for (let round = 0; round < 5; round++) {
        const run = await machine.startRunning(['sleep', '1000'], { env, ...identity })
        const result = await machine.runtime.exec(
          { instance: run.instance, command: ['sh', '-c', 'echo $DB_PASSWORD'], searchPath: ['/bin'], env, timeout: 5_000, ...identity },
          stop.signal,
        )
        assert.equal(result.output, `${secret}\n`)
        const directory = join(machine.dataDir, 'run', run.instance)
        await eventually(() =>
          assert.deepEqual(
            readdirSync(directory).filter((name) => /\.(sh|env|tmp)$/.test(name)),
            [],
          ),
        )
        await machine.runtime.killTree(run.id)
      }
    }
    stop.abort()
    await looking
    assert.deepEqual(leaks, [])
  })

  test('another user gets that user with its groups, and nothing of root', rootOnly, async () => {
    const identity = await machine.runtime.resolveIdentity({ user: 'nobody', group: 'daemon', supplementalGroups: ['adm', 12345] })
    const id = await machine.output(['sh', '-c', 'id -u; id -g; id -G; pwd; umask; echo "$A"; ulimit -Sn'], {
      identity,
      env: { PATH: '/bin:/usr/bin', A: "it's" },
      umask: '077',
    })
    assert.deepEqual(id.split('\n'), ['65534', '1', '1 4 12345', '/', '0077', "it's", '1024', ''])
    assert.match(await status('CapEff', { identity }), /^0+$/)
    assert.match(await status('SigIgn', { identity }), /^0+$/)
    assert.equal(await machine.output(['sh', '-c', 'echo more >>/dev/stdout'], { identity }), 'more\n')
    const [pid, , , , , session] = (await machine.output(['cat', '/proc/self/stat'], { identity })).split(' ')
    assert.equal(session, pid)
  })

  test('libraries that the environment loads are never loaded by a tool that is root', rootOnly, async () => {
    const identity = await machine.runtime.resolveIdentity({ user: 'nobody' })
    const log = await machine.output(['id', '-u'], { identity, env: { LD_PRELOAD: '/no/such/library.so' } })
    // Each tool that sees the variable says so once: the second shell (still there when it exports) and the program.
    assert.match(log, /65534\n$/)
    assert.doesNotMatch(log, /setpriv|setsid/)
    assert.equal(log.match(/cannot be preloaded/g)?.length ?? 0, 1)
  })

  test('capabilities and privileges are cut and given as asked', rootOnly, async () => {
    assert.equal(await status('NoNewPrivs', { noNewPrivileges: true }), '1')
    assert.match(await status('CapEff', { capabilities: { add: [], drop: ['ALL'] } }), /^0+$/)
    assert.equal(await status('CapEff', { capabilities: { add: ['NET_BIND_SERVICE'], drop: ['ALL'] } }), '0000000000000400')
    const identity = await machine.runtime.resolveIdentity({ user: 'nobody' })
    const bind = { identity, capabilities: { add: ['CAP_NET_BIND_SERVICE'], drop: ['ALL'] } }
    assert.equal(await status('CapEff', bind), '0000000000000400')
    assert.equal(await status('CapBnd', bind), '0000000000000400')
  })

  test('files are read with the rights of the user they are read for', rootOnly, async () => {
    const identity = await machine.runtime.resolveIdentity({ user: 'nobody' })
    writeFileSync(join(place, 'private'), 'secret', { mode: 0o600 })
    chmodSync(place, 0o755)
    writeFileSync(join(place, 'public'), 'open', { mode: 0o644 })
    assert.equal(await machine.runtime.readFileAs(join(place, 'public'), identity), 'open')
    assert.equal(await machine.runtime.readFileAs(join(place, 'private'), undefined), 'secret')
    await assert.rejects(machine.runtime.readFileAs(join(place, 'private'), identity), /as nobody.*Permission denied/)
  })

  test('users and groups are found by name and by number', async () => {
    const root = await machine.runtime.resolveIdentity({ user: 'root' })
    assert.deepEqual({ uid: root.uid, gid: root.gid, user: root.user, home: root.home }, { uid: 0, gid: 0, user: 'root', home: '/root' })
    const stranger = await machine.runtime.resolveIdentity({ user: 54321 })
    assert.deepEqual(stranger, { uid: 54321, gid: 54321, supplementalGroups: [], user: '54321', home: '/', shell: '/bin/sh' })
    await assert.rejects(
      machine.runtime.resolveIdentity({ user: 'no-such-user' }),
      (err) => err instanceof StartError && err.reason === 'UserNotFound',
    )
    await assert.rejects(machine.runtime.resolveIdentity({ group: 'no-such-group' }), /no group "no-such-group"/)
  })

  test('an Instance id that is no plain name is refused', async () => {
    for (const id of ['../x', 'a/b', '', '.hidden', 'a\nb']) {
      await assert.rejects(async () => machine.runtime.saveNote(id as InstanceId, 'x'), /is no Instance id/)
    }
  })
})
