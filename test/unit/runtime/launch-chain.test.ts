import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { checkPermitted, type HostTools, hostGapsOf } from '../../../src/runtime/host.ts'
import { launchText, quote } from '../../../src/runtime/launch-chain.ts'
import { type LaunchConfig, StartError } from '../../../src/runtime/runtime.ts'

const TOOLS = ['setsid', 'setpriv', 'prlimit', 'nice', 'ionice', 'taskset', 'mkfifo']
const host = (more: Partial<HostTools> = {}): HostTools => ({
  uid: 0,
  shell: '/bin/sh',
  tools: new Map(TOOLS.map((name) => [name, `/usr/bin/${name}`])),
  nice: 0,
  oomScoreAdj: 0,
  hardNofile: 4096,
  hardLimits: new Map([
    ['nofile', 4096],
    ['nproc', 500],
  ]),
  largestNofile: 10_000,
  protectsShims: true,
  isOwn: (identity) => identity.uid === 0,
  may: () => true,
  ...more,
})
const config = (more: Partial<LaunchConfig> = {}): LaunchConfig => ({
  command: ['prog', 'a b'],
  searchPath: [],
  env: { A: "it's", PATH: '/bin' },
  ...more,
})
const nobody = { uid: 65534, gid: 65534, supplementalGroups: [], user: 'nobody', home: '/', shell: '/bin/sh' }

function linesOf(more: Partial<LaunchConfig> = {}, on: HostTools = host()): { main: string[]; second: string[] | undefined } {
  const text = launchText(config(more), { host: on, program: '/opt/prog', secondInput: "<'/run/1.env'", setsid: true })
  return { main: text.main.toString().split('\n'), second: text.second?.toString().split('\n') }
}

describe('launch texts', () => {
  test('an ordinary launch needs no tool but setsid, and one shell', () => {
    assert.deepEqual(linesOf(), {
      main: [
        "cd -P -- '/' || exit 127",
        'echo 0 >/proc/self/oom_score_adj',
        'ulimit -S -n 1024',
        'unset PWD OLDPWD SHLVL PATH',
        "export A='it'\\''s'",
        "export PATH='/bin'",
        "exec 0<'/dev/null' '/usr/bin/setsid' '/opt/prog' 'a b'",
        '',
      ],
      second: undefined,
    })
  })

  test('with another user the environment reaches only the shell that has that user already', () => {
    const { main, second } = linesOf({ identity: nobody, stdinFile: '/in' })
    assert.equal(
      main.at(-2),
      "exec '/usr/bin/setsid' '/usr/bin/setpriv' '--reuid=65534' '--regid=65534' '--clear-groups' '/bin/sh' <'/run/1.env'",
    )
    assert.ok(!main.join('\n').includes('export'))
    assert.deepEqual(second, [
      'unset PWD OLDPWD SHLVL PATH',
      "export A='it'\\''s'",
      "export PATH='/bin'",
      "exec 0<'/in' '/opt/prog' 'a b'",
      '',
    ])
  })

  test('each field brings its tool, privileges last', () => {
    const { main } = linesOf({
      nice: 5,
      ioPriority: { class: 'BestEffort', level: 4 },
      cpuAffinity: '0-3',
      rlimits: { nproc: { soft: 1, hard: 'unlimited' } },
      noNewPrivileges: true,
    })
    assert.match(
      main.at(-2) ?? '',
      /setsid' '[^']*nice' '-n' '5' '[^']*ionice' '-c' '2' '-n' '4' '[^']*taskset' '-c' '0-3' '[^']*prlimit' '--nproc=1:unlimited' '[^']*setpriv' '--no-new-privs' '\/bin\/sh'/,
    )
  })

  test('niceness is what is asked for, whatever the server has', () => {
    assert.ok(
      linesOf({ nice: 5 }, host({ nice: 2 }))
        .main.at(-2)
        ?.includes("'-n' '3'"),
    )
    assert.ok(
      !linesOf({ nice: 2 }, host({ nice: 2 }))
        .main.at(-2)
        ?.includes('/nice'),
    )
  })

  test('the soft limit of open files is never above the hard one in between', () => {
    assert.ok(linesOf({ rlimits: { nofile: { soft: 10, hard: 20 } } }).main.includes('ulimit -S -n 10 && ulimit -H -n 20 || exit 126'))
    assert.ok(
      linesOf({ rlimits: { nofile: { soft: 9000, hard: 9000 } } }).main.includes('ulimit -H -n 9000 && ulimit -S -n 9000 || exit 126'),
    )
    assert.ok(linesOf({}, host({ hardNofile: 100 })).main.includes('ulimit -S -n 100'))
  })

  test('words of options can not leave their place', () => {
    assert.throws(() => linesOf({ rlimits: { 'nproc=1;id': { soft: 1, hard: 1 } } }), StartError)
    assert.throws(() => linesOf({ capabilities: { add: ["x' id '"], drop: [] } }), StartError)
    assert.equal(quote("a'b"), "'a'\\''b'")
  })
})

describe('what a host can do', () => {
  const noMounts = 'the server (user 1000) lacks the capability SYS_ADMIN, which mounting needs'
  const plain = host({ uid: 1000, isOwn: (identity) => identity.uid === 1000, protectsShims: false, may: () => false, noMounts })

  const rows: readonly { given: string; config: Partial<LaunchConfig>; message: RegExp }[] = [
    {
      given: 'another user',
      config: { identity: nobody },
      message: /user nobody needs a server with the capability SETUID; this one runs as user 1000/,
    },
    { given: 'a lower niceness', config: { nice: -1 }, message: /nice value below 0/ },
    { given: 'the I/O class RealTime', config: { ioPriority: { class: 'RealTime' } }, message: /RealTime/ },
    { given: 'a lower out-of-memory score', config: { oomScoreAdj: -1 }, message: /oomScoreAdj below 0/ },
    { given: 'more open files', config: { rlimits: { nofile: { soft: 1, hard: 9999 } } }, message: /nofile above 4096/ },
    { given: 'a higher limit of another kind', config: { rlimits: { nproc: { soft: 1, hard: 'unlimited' } } }, message: /nproc above 500/ },
    { given: 'a capability', config: { capabilities: { add: ['KILL'], drop: [] } }, message: /Adding the capability KILL/ },
    { given: 'dropping capabilities', config: { capabilities: { add: [], drop: ['ALL'] } }, message: /SETPCAP/ },
    { given: 'a read-only path', config: { readOnlyPaths: ['/usr'] }, message: /readOnlyPaths.*lacks the capability SYS_ADMIN/ },
    { given: 'a hidden path', config: { hiddenPaths: ['/usr'] }, message: /hiddenPaths/ },
    { given: 'private temporary directories', config: { privateTmp: true }, message: /privateTmp/ },
  ]
  for (const { given, config: more, message } of rows) {
    test(`${given} is refused to a server that isn't root`, () => {
      assert.throws(
        () => checkPermitted(config(more), plain),
        (err) => err instanceof StartError && err.reason === 'NotPermitted' && message.test(err.message),
      )
      assert.doesNotThrow(() => checkPermitted(config(more), host()))
    })
  }

  test('a missing tool is named, by the field that needs it, and refused when asked for', () => {
    const bare = host({ tools: new Map([['setsid', '/usr/bin/setsid']]) })
    assert.deepEqual(
      hostGapsOf(bare).map((gap) => gap.field),
      ['identity', 'noNewPrivileges', 'capabilities', 'rlimits', 'nice', 'ioPriority', 'cpuAffinity'],
    )
    assert.throws(() => checkPermitted(config({ cpuAffinity: '0' }), bare), /no "taskset" command/)
    assert.deepEqual(hostGapsOf(host()), [])
  })

  test('what a server without privileges can not do is named, values included', () => {
    assert.deepEqual(
      hostGapsOf(plain).map(({ field, below }) => (below === undefined ? field : `${field} ${below}`)),
      ['identity', 'capabilities', 'nice.below 0', 'ioPriority.RealTime', 'oomScoreAdj.below 0', 'mounts'],
    )
  })

  test('what no privilege allows is refused before anything runs', () => {
    const refused = (more: Partial<LaunchConfig>, message: RegExp): void =>
      assert.throws(
        () => checkPermitted(config(more), host()),
        (err) => err instanceof StartError && message.test(err.message),
      )
    refused({ capabilities: { add: ['SIT_ON_A_HORSE'], drop: [] } }, /no capability "SIT_ON_A_HORSE"/)
    refused({ rlimits: { nofile: { soft: 1, hard: 10_001 } } }, /10000 at most/)
    refused({ rlimits: { core: { soft: 'unlimited', hard: 0 } } }, /soft limit is above/)
  })

  test('the largest number of open files stands for no limit', () => {
    const { main } = linesOf({ rlimits: { nofile: { soft: 'unlimited', hard: 'unlimited' } } })
    assert.ok(main.includes('ulimit -H -n 10000 && ulimit -S -n 10000 || exit 126'), main.join('\n'))
  })
})
