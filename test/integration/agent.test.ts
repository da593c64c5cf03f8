import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import nodeProcess from 'node:process'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { type Agent, createAgent } from '../../src/agent/agent.ts'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import type { Client } from '../../src/client/client.ts'
import type { Instance, ProcessTemplate } from '../../src/generated/types.ts'
import { createLocalClient } from '../../src/registry/local-client.ts'
import { createRegistry } from '../../src/registry/resource-registry.ts'
import { readStat } from '../../src/runtime/proc-stat.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'
import { eventually } from '../support/eventually.ts'
import { TestMachine } from '../support/posix-runtime.ts'

describe('an agent on a real machine', () => {
  let machine: TestMachine
  let client: Client
  let place: string
  let running: { readonly agent: Agent; readonly controller: AbortController; readonly done: Promise<void> } | undefined

  beforeEach(async () => {
    place = mkdtempSync(join(tmpdir(), 'pmk-agent-'))
    machine = new TestMachine()
    await machine.open()
    const store = new MemoryStore({ clock: systemClock })
    client = createLocalClient(await createRegistry({ store, clock: systemClock }), { fieldManager: 'test' })
    startAgent()
  })
  afterEach(async () => {
    await stopAgent()
    await machine.destroy()
    rmSync(place, { recursive: true })
  })

  function startAgent(): void {
    const agent = createAgent({
      client,
      runtime: machine.runtime,
      clock: systemClock,
      log: silentLogger,
      nodeName: 'here',
      version: '0.0.0',
    })
    const controller = new AbortController()
    running = { agent, controller, done: agent.run(controller.signal) }
  }

  async function stopAgent(): Promise<void> {
    const last = running
    running = undefined
    last?.controller.abort()
    await last?.done
  }

  async function create(template: Partial<ProcessTemplate>): Promise<void> {
    await client.for('Instance').create({
      apiVersion: 'pmk.dev/v1',
      kind: 'Instance',
      metadata: { name: 'web-0' },
      spec: { process: 'web', index: 0, nodeName: 'here', revision: 'web-1', template },
    })
  }

  const status = async (): Promise<NonNullable<Instance['status']>> => (await client.for('Instance').get({ name: 'web-0' })).status ?? {}
  const runs = (after = 0): Promise<number> =>
    eventually(
      async () => {
        const { phase, pid, attempt } = await status()
        assert.ok(phase === 'Running', `phase ${phase}`)
        assert.ok((attempt ?? 0) > after, `attempt ${attempt}`)
        return pid ?? assert.fail('no pid')
      },
      { every: 20 },
    )
  const patch = (value: unknown): Promise<unknown> => client.for('Instance').patch({ name: 'web-0' }, { type: 'merge', value })

  test('starts a program in the environment that its template says, and restarts it when it is killed', async () => {
    writeFileSync(join(place, 'defaults'), '# shop\nexport LEVEL="info"\n')
    const script = 'env >"$OUT.new" && mv "$OUT.new" "$OUT"; exec sleep 1000'
    await create({
      script,
      workingDir: place,
      envFrom: [{ file: { path: join(place, 'defaults'), optional: false } }],
      env: [
        { name: 'OUT', value: `${place}/$(PMK_INSTANCE).env` },
        { name: 'WORDS', value: '$(LEVEL) $$(LEVEL) $(UNKNOWN)' },
      ],
    })
    const pid = await runs()
    const env = await eventually(() => readFileSync(join(place, 'web-0.env'), 'utf8'))
    assert.match(env, /^WORDS=info \$\(LEVEL\) \$\(UNKNOWN\)$/m)
    assert.match(env, /^PMK_NAMESPACE=default$/m)
    assert.doesNotMatch(env, /^npm_|^NODE_/m)

    nodeProcess.kill(pid, 'SIGKILL')
    const next = await runs(1)
    assert.notEqual(next, pid)
    const after = await status()
    assert.equal(after.restartCount, 1)
    assert.equal(after.lastTermination?.signal, 'KILL')
    assert.ok(
      after.transitions?.some(({ cause }) => cause === 'SignalFromOutside'),
      JSON.stringify(after.transitions),
    )
  })

  test('restarted itself keeps the pid, and learns the exit code of a program that ended meanwhile', async () => {
    await create({ script: `trap "exit 42" USR1; while :; do sleep 0.05; done` })
    const pid = await runs()
    await stopAgent()
    await machine.reopen()
    startAgent()
    await eventually(() => assert.equal(running?.agent.ready(), true))
    assert.equal((await status()).pid, pid)
    await stopAgent()
    nodeProcess.kill(pid, 'SIGUSR1')
    await eventually(() => assert.equal(readStat(pid), undefined))
    await machine.reopen()
    startAgent()
    await runs(1)
    assert.equal((await status()).lastTermination?.exitCode, 42)
  })

  test('stops a program that ignores TERM, with all that it started, and a deletion leaves nothing', async () => {
    await create({ script: `trap "" TERM; sleep 1000 & echo $! >${place}/child; wait; wait`, terminationGracePeriodSeconds: 1 })
    const pid = await runs()
    const child = await eventually(() => Number(readFileSync(join(place, 'child'), 'utf8') || assert.fail('nothing yet')))
    await patch({ spec: { desiredState: 'Stopped' } })
    await eventually(async () => assert.equal((await status()).phase, 'Stopped'))
    for (const each of [pid, child]) assert.ok(['Z', undefined].includes(readStat(each)?.state), `${each} is alive`)
    await patch({ spec: { desiredState: 'Running' } })
    const next = await runs(1)
    await client.for('Instance').delete({ name: 'web-0' }, { gracePeriodSeconds: 0 })
    await eventually(async () => assert.deepEqual((await client.for('Instance').list()).items, []))
    assert.equal(readStat(next), undefined)
    assert.deepEqual(await machine.runtime.list(), [])
  })

  test('probes, carries out actions, and says why a command can not be launched', async () => {
    await create({
      command: ['sleep', '1000'],
      env: [{ name: 'WORD', value: 'hello' }],
      readinessProbe: {
        exec: { command: ['test', '-e', `${place}/ready`] },
        initialDelaySeconds: 0,
        periodSeconds: 1,
        timeoutSeconds: 1,
        successThreshold: 1,
        failureThreshold: 1,
      },
      actions: [{ name: 'greet', exec: { command: ['sh', '-c', 'echo $WORD; exit 3'] }, timeout: '10s' }],
    })
    await runs()
    await eventually(async () => assert.equal((await status()).reason, 'NotReady'))
    writeFileSync(join(place, 'ready'), '')
    await eventually(async () => assert.equal((await status()).ready, true))
    const target = { namespace: 'default', name: 'web-0' }
    const output: string[] = []
    const gateway = running?.agent.gateway ?? assert.fail()
    const result = await gateway.action(
      target,
      'greet',
      (chunk) => output.push(Buffer.from(chunk).toString()),
      new AbortController().signal,
    )
    assert.deepEqual([result.exitCode, output.join('')], [3, 'hello\n'])
    await assert.rejects(
      gateway.action(target, 'nothing', () => {}, new AbortController().signal),
      /it has greet/,
    )
    assert.ok((await gateway.usage(target)).memory > 0)

    await patch({ spec: { revision: 'web-2', template: { command: ['no-such-program'] } } })
    await eventually(async () => assert.equal((await status()).reason, 'StartError'))
    assert.match((await status()).message ?? '', /no-such-program.*\/usr\/local\/sbin/)
  })
})
