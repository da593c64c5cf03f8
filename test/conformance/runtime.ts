import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import {
  type InstanceId,
  type LogPiece,
  type ProcessRuntime,
  type Run,
  type RunConfig,
  runId,
  StartError,
} from '../../src/runtime/runtime.ts'
import { eventually } from '../support/eventually.ts'

/** What a program of these tests does. Each implementation has its own way to make one. */
export type ProgramKind =
  | { readonly kind: 'forever' }
  | { readonly kind: 'exits'; readonly code: number }
  | { readonly kind: 'ignores TERM' }
  /** Its main process ends with 0, another of its tree in a session of its own stays and ignores TERM. */
  | { readonly kind: 'leaves behind' }
  | { readonly kind: 'prints'; readonly text: string }

export interface RuntimeHarness {
  readonly name: string
  /** A runtime on an empty place. */
  create(): Promise<ProcessRuntime>
  /** Another server on the same place, after the first was closed. */
  reopen(runtime: ProcessRuntime): Promise<ProcessRuntime>
  /** The command of such a program; whatever else it needs is arranged for this Instance. */
  program(runtime: ProcessRuntime, name: string, kind: ProgramKind): RunConfig['command']
  /** A command that can't be found; whatever is needed is arranged for this Instance. */
  missing(runtime: ProcessRuntime, name: string): RunConfig['command']
  /** Gives back everything, programs included. */
  destroy(runtime: ProcessRuntime): Promise<void>
}

/** The contract of ProcessRuntime as tests. */
export function testRuntime(harness: RuntimeHarness): void {
  describe(`ProcessRuntime: ${harness.name}`, () => {
    let runtime: ProcessRuntime
    let names = 0

    before(async () => {
      runtime = await harness.create()
    })
    after(() => harness.destroy(runtime))

    interface Subject {
      readonly instance: InstanceId
      readonly name: string
      config(attempt: number, kind: ProgramKind): RunConfig
    }
    let subject: Subject

    beforeEach(() => {
      subject = newSubject()
    })
    afterEach(async () => {
      const record = await runtime.get(subject.instance)
      if (record?.run !== undefined) await runtime.killTree(record.run.id)
      await runtime.remove(subject.instance)
    })

    function newSubject(): Subject {
      const instance = randomUUID() as InstanceId
      const name = `program-${names++}`
      return {
        instance,
        name,
        config: (attempt, kind) => ({
          id: runId(instance, attempt),
          instance,
          namespace: 'default',
          name,
          command: harness.program(runtime, name, kind),
          searchPath: ['/usr/bin', '/bin'],
          env: { PATH: '/usr/bin:/bin', PMK_RUN: runId(instance, attempt) },
          logs: { maxSize: 1024 * 1024, maxFiles: 2, compress: true, mergeStderr: true },
        }),
      }
    }

    const runNow = async (): Promise<Run | undefined> => (await runtime.get(subject.instance))?.run
    const exited = (): Promise<Run & { state: 'exited' }> =>
      eventually(async () => {
        const run = await runNow()
        assert.equal(run?.state, 'exited')
        return run as Run & { state: 'exited' }
      })
    const listed = async (): Promise<boolean> => (await runtime.list()).some((record) => record.instance === subject.instance)

    test('a started program is listed with its pid', async () => {
      const run = await runtime.start(subject.config(1, { kind: 'forever' }))
      assert.equal(run.state, 'running')
      assert.ok(run.state === 'running' && run.pid > 0 && run.supervised)
      const found = (await runtime.list()).find((record) => record.instance === subject.instance)
      assert.deepEqual(found?.run, run)
    })

    test('a run tells its memo as long as it is the newest', async () => {
      const run = await runtime.start({ ...subject.config(1, { kind: 'exits', code: 0 }), memo: 'of the first' })
      assert.equal(run.memo, 'of the first')
      assert.equal((await exited()).memo, 'of the first')
      assert.equal((await runtime.start(subject.config(2, { kind: 'forever' }))).memo, undefined)
    })

    test('starting the same run again gives the run that is there', async () => {
      const config = subject.config(1, { kind: 'forever' })
      const first = await runtime.start(config)
      assert.deepEqual(await runtime.start(config), first)
    })

    test('starting the same run again after its end starts nothing', async () => {
      const config = subject.config(1, { kind: 'exits', code: 4 })
      await runtime.start(config)
      const end = await exited()
      assert.deepEqual(await runtime.start(config), end)
    })

    test('starts at the same time of the same run start it once', async () => {
      const config = subject.config(1, { kind: 'forever' })
      const runs = await Promise.all([1, 2, 3].map(() => runtime.start(config)))
      assert.equal(new Set(runs.map((run) => run.state === 'running' && run.pid)).size, 1)
    })

    test('a second run of an Instance beside a live one is refused', async () => {
      await runtime.start(subject.config(1, { kind: 'forever' }))
      await assert.rejects(runtime.start(subject.config(2, { kind: 'forever' })), /still lives/)
    })

    test('an older run than the newest is refused', async () => {
      await runtime.start(subject.config(2, { kind: 'exits', code: 0 }))
      await exited()
      await assert.rejects(runtime.start(subject.config(1, { kind: 'forever' })), /older/)
    })

    test('an exit code is told', async () => {
      await runtime.start(subject.config(1, { kind: 'exits', code: 3 }))
      const { exit, exitedAtMonotonic, startedAtMonotonic } = await exited()
      assert.equal(exit.by === 'code' && exit.code, 3)
      assert.ok(exitedAtMonotonic >= startedAtMonotonic)
    })

    test('the end is told the same way each time', async () => {
      await runtime.start(subject.config(1, { kind: 'exits', code: 3 }))
      const end = await exited()
      assert.deepEqual(await runNow(), end)
      assert.deepEqual(await runNow(), end)
    })

    test('a signal reaches the main process, and the death tells it', async () => {
      const run = await runtime.start(subject.config(1, { kind: 'forever' }))
      assert.equal(await runtime.signal(run.id, 'TERM', 'Main'), 1)
      const { exit } = await exited()
      assert.equal(exit.by === 'signal' && exit.signal, 'TERM')
    })

    test('a signal to a run that is gone reaches nobody and is no error', async () => {
      const run = await runtime.start(subject.config(1, { kind: 'exits', code: 0 }))
      await exited()
      assert.equal(await runtime.signal(run.id, 'TERM', 'Main'), 0)
      assert.equal(await runtime.signal(runId(subject.instance, 7), 'TERM', 'Tree'), 0)
    })

    test('a program that ignores TERM runs on and is ended by killing its tree', async () => {
      const run = await runtime.start(subject.config(1, { kind: 'ignores TERM' }))
      await eventually(async () => assert.match(await runtime.tail(subject.instance, 100), /ready/))
      assert.ok((await runtime.signal(run.id, 'TERM', 'Tree')) > 0)
      assert.equal((await runNow())?.state, 'running')
      await runtime.killTree(run.id)
      const { exit, leftovers } = await exited()
      assert.equal(exit.by === 'signal' && exit.signal, 'KILL')
      assert.equal(leftovers, false)
      assert.equal(await runtime.treeAlive(run.id), false)
    })

    test('what a main process leaves behind is seen, keeps the Instance from going, and is killed with the tree', async () => {
      const run = await runtime.start(subject.config(1, { kind: 'leaves behind' }))
      assert.equal((await exited()).leftovers, true)
      assert.equal(await runtime.treeAlive(run.id), true)
      await assert.rejects(runtime.remove(subject.instance), /alive/)
      await assert.rejects(runtime.start(subject.config(2, { kind: 'forever' })), /left processes behind/)
      await runtime.killTree(run.id)
      assert.equal((await exited()).leftovers, false)
      assert.equal(await runtime.treeAlive(run.id), false)
    })

    test('an Instance can be started again after each end', async () => {
      for (const attempt of [1, 2, 3]) {
        const run = await runtime.start(subject.config(attempt, { kind: 'exits', code: attempt }))
        assert.equal(run.id, runId(subject.instance, attempt))
        const { exit } = await exited()
        assert.equal(exit.by === 'code' && exit.code, attempt)
      }
    })

    test('a death is hinted at', async () => {
      const stop = new AbortController()
      const hints: InstanceId[] = []
      const listening = (async () => {
        for await (const instance of runtime.changes(stop.signal)) hints.push(instance)
      })()
      const run = await runtime.start(subject.config(1, { kind: 'forever' }))
      await eventually(() => assert.ok(hints.includes(subject.instance)))
      hints.length = 0
      await runtime.signal(run.id, 'KILL', 'Main')
      await eventually(() => assert.ok(hints.includes(subject.instance)))
      stop.abort()
      await listening
    })

    test('a paused run tells so until it goes on, over a restart of the server, and its tree can be killed', async (context) => {
      if (runtime.hostGaps().some(({ field }) => field === 'pause')) return context.skip('this host can freeze no tree')
      const run = await runtime.start(subject.config(1, { kind: 'forever' }))
      const isPaused = async (): Promise<boolean> => {
        const now = await runNow()
        return now?.state === 'running' && now.paused
      }
      assert.equal(await isPaused(), false)
      for (let times = 0; times < 2; times++) await runtime.pause(run.id, true)
      assert.equal(await isPaused(), true)
      runtime = await harness.reopen(runtime)
      assert.equal(await isPaused(), true)
      for (let times = 0; times < 2; times++) await runtime.pause(run.id, false)
      assert.equal(await isPaused(), false)
      await runtime.pause(run.id, true)
      await runtime.killTree(run.id)
      const { exit } = await exited()
      assert.equal(exit.by === 'signal' && exit.signal, 'KILL')
      await runtime.pause(run.id, true)
      const next = await runtime.start(subject.config(2, { kind: 'forever' }))
      assert.equal(next.state === 'running' && next.paused, false)
    })

    test('an Instance that is alive is not removed', async () => {
      await runtime.start(subject.config(1, { kind: 'forever' }))
      await assert.rejects(runtime.remove(subject.instance), /alive/)
      assert.equal((await runNow())?.state, 'running')
    })

    test('a removed Instance is gone, and removing it again is no error', async () => {
      await runtime.start(subject.config(1, { kind: 'exits', code: 0 }))
      await exited()
      await runtime.remove(subject.instance)
      assert.equal(await listed(), false)
      assert.equal(await runtime.get(subject.instance), undefined)
      await runtime.remove(subject.instance)
    })

    test('a note is kept, before the first start too', async () => {
      await runtime.saveNote(subject.instance, 'first')
      assert.deepEqual(await runtime.get(subject.instance), { instance: subject.instance, run: undefined, note: 'first' })
      await runtime.start(subject.config(1, { kind: 'forever' }))
      await runtime.saveNote(subject.instance, 'second')
      assert.equal((await runtime.get(subject.instance))?.note, 'second')
    })

    test('a command that can not be found is a StartError and leaves no run', async () => {
      const config = { ...subject.config(1, { kind: 'forever' }), command: harness.missing(runtime, subject.name) }
      await assert.rejects(runtime.start(config), (err) => err instanceof StartError && err.reason === 'CommandNotFound')
      assert.equal(await runNow(), undefined)
    })

    test('output can be read, by its end and as a whole', async () => {
      await runtime.start(subject.config(1, { kind: 'prints', text: 'one\ntwo\nthree\n' }))
      await eventually(async () => assert.equal(await runtime.tail(subject.instance, 100), 'one\ntwo\nthree\n'))
      assert.equal(await readAll({}), 'one\ntwo\nthree\n')
      assert.equal(await readAll({ tailLines: 1 }), 'three\n')
      assert.equal(await readAll({ limitBytes: 5 }), 'one\nt')
    })

    test('output is that of the newest run, and that of the run before on request', async () => {
      await runtime.start(subject.config(1, { kind: 'prints', text: 'first\n' }))
      await eventually(async () => assert.equal(await runtime.tail(subject.instance, 100), 'first\n'))
      await runtime.killTree(runId(subject.instance, 1))
      await runtime.start(subject.config(2, { kind: 'prints', text: 'second\n' }))
      await eventually(async () => assert.equal(await runtime.tail(subject.instance, 100), 'second\n'))
      assert.equal(await readAll({}), 'second\n')
      assert.equal(await readAll({ previous: true }), 'first\n')
    })

    test('a follower sees what is written later, over a restart of the program', async () => {
      await runtime.start(subject.config(1, { kind: 'prints', text: 'first\n' }))
      const stop = new AbortController()
      let seen = ''
      const following = (async () => {
        for await (const { bytes } of runtime.logs(subject.instance, { follow: true, signal: stop.signal }))
          seen += Buffer.from(bytes).toString()
      })()
      await eventually(() => assert.equal(seen, 'first\n'))
      await runtime.killTree(runId(subject.instance, 1))
      await runtime.start(subject.config(2, { kind: 'prints', text: 'second\n' }))
      await eventually(() => assert.equal(seen, 'first\nsecond\n'))
      stop.abort()
      await following
    })

    test('reading goes on behind the piece whose cursor is given, over a restart of the program', async () => {
      await runtime.start(subject.config(1, { kind: 'prints', text: 'first\n' }))
      await eventually(async () => assert.equal(await runtime.tail(subject.instance, 100), 'first\n'))
      const pieces: LogPiece[] = []
      for await (const piece of runtime.logs(subject.instance, { signal: AbortSignal.timeout(10_000) })) pieces.push(piece)
      assert.equal(pieces[0]?.bytes.length, 0)
      await runtime.killTree(runId(subject.instance, 1))
      await runtime.start(subject.config(2, { kind: 'prints', text: 'second\n' }))
      await eventually(async () => assert.equal(await runtime.tail(subject.instance, 100), 'second\n'))
      assert.equal(await readAll({ cursor: pieces[0]?.cursor ?? '' }), 'first\nsecond\n')
      assert.equal(await readAll({ cursor: pieces.at(-1)?.cursor ?? '' }), 'second\n')
    })

    async function readAll(options: { tailLines?: number; limitBytes?: number; previous?: boolean; cursor?: string }): Promise<string> {
      const pieces: Uint8Array[] = []
      for await (const { bytes } of runtime.logs(subject.instance, { ...options, signal: AbortSignal.timeout(10_000) })) pieces.push(bytes)
      return Buffer.concat(pieces).toString()
    }

    test('another server finds everything again: runs, ends, notes', async () => {
      const other = newSubject()
      const running = await runtime.start(subject.config(1, { kind: 'forever' }))
      await runtime.saveNote(subject.instance, 'mine')
      await runtime.start(other.config(1, { kind: 'exits', code: 9 }))
      await eventually(async () => assert.equal((await runtime.get(other.instance))?.run?.state, 'exited'))

      runtime = await harness.reopen(runtime)
      assert.deepEqual(await runNow(), running)
      assert.equal((await runtime.get(subject.instance))?.note, 'mine')
      const end = (await runtime.get(other.instance))?.run
      assert.ok(end?.state === 'exited' && end.exit.by === 'code' && end.exit.code === 9)
      assert.deepEqual(await runtime.start(subject.config(1, { kind: 'forever' })), running)
      await runtime.killTree(running.id)
      assert.equal((await exited()).exit.by, 'signal')
      await runtime.remove(other.instance)
    })
  })
}
