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
  protectsShims: true,
  isOwn: (identity) => identity.uid === 0,
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
  const plain = host({ uid: 1000, isOwn: (identity) => identity.uid === 1000, protectsShims: false })

  const rows: readonly { given: string; config: Partial<LaunchConfig>; message: RegExp }[] = [
    { given: 'another user', config: { identity: nobody }, message: /user nobody needs a server that runs as root/ },
    { given: 'a lower niceness', config: { nice: -1 }, message: /nice value below 0/ },
    { given: 'the I/O class RealTime', config: { ioPriority: { class: 'RealTime' } }, message: /RealTime/ },
    { given: 'a lower out-of-memory score', config: { oomScoreAdj: -1 }, message: /oomScoreAdj below 0/ },
    { given: 'more open files', config: { rlimits: { nofile: { soft: 1, hard: 9999 } } }, message: /nofile above 4096/ },
    { given: 'capabilities', config: { capabilities: { add: ['KILL'], drop: [] } }, message: /capabilities/ },
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
})
