// Measures how soon a program runs again after its death, and what many Instances cost. Run: npx tsx hack/bench/runtime.ts [cgroups|scan]
import { mkdtempSync, readFileSync, rmSync, watch } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import nodeProcess from 'node:process'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import { createPosixRuntime } from '../../src/runtime/posix-runtime.ts'
import { type InstanceId, type ProcessRuntime, type RunConfig, runId } from '../../src/runtime/runtime.ts'

const ROUNDS = 100
const MANY = 500
const LARGE = 1_000

async function main(): Promise<void> {
  const only = nodeProcess.argv[2]
  for (const cgroups of [true, false]) {
    if (only !== undefined && only !== (cgroups ? 'cgroups' : 'scan')) continue
    const dataDir = mkdtempSync(join(tmpdir(), 'pmk-bench-'))
    const create = (): ProcessRuntime => createPosixRuntime({ dataDir, clock: systemClock, log: silentLogger, cgroups })
    let runtime = create()
    await runtime.open()
    say(`${cgroups ? 'with' : 'without'} cgroups`)
    try {
      await restarts(runtime, join(dataDir, 'first'))
      await commands(runtime)
      await many(runtime)
      await runtime.close()
      runtime = create()
      await timed(`${MANY} adopted`, () => runtime.open())
    } finally {
      await removeAll(runtime)
      await runtime.close()
      rmSync(dataDir, { recursive: true })
    }
  }
}

function config(instance: InstanceId, attempt: number, command: RunConfig['command']): RunConfig {
  return {
    id: runId(instance, attempt),
    instance,
    namespace: 'default',
    name: instance,
    command,
    searchPath: ['/usr/bin', '/bin'],
    env: { PATH: '/usr/bin:/bin' },
    logs: { maxSize: 1024 * 1024, maxFiles: 1, compress: false, mergeStderr: true },
  }
}

/** From SIGKILL to the first instruction of the next program, which it shows by making a file. */
async function restarts(runtime: ProcessRuntime, directory: string): Promise<void> {
  const instance = 'restarts' as InstanceId
  const program = (attempt: number): RunConfig => config(instance, attempt, ['dash', '-c', `: >${directory}.${attempt}; exec sleep 1000`])
  const stop = new AbortController()
  let attempt = 1
  let resolve = (): void => {}
  const watcher = watch(join(directory, '..'), (_event, name) => {
    if (name === `first.${attempt}`) resolve()
  })
  await runtime.start(program(1))
  const restarting = (async () => {
    for await (const _changed of runtime.changes(stop.signal)) {
      const run = (await runtime.get(instance))?.run
      if (run?.state !== 'exited' || run.id !== runId(instance, attempt)) continue
      attempt += 1
      await runtime.start(program(attempt))
    }
  })()
  const times: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    await new Promise((done) => setTimeout(done, 40))
    const run = (await runtime.get(instance))?.run
    if (run?.state !== 'running') continue
    const started = new Promise<void>((done) => {
      resolve = done
    })
    const begin = performance.now()
    nodeProcess.kill(run.pid, 'SIGKILL')
    await started
    times.push(performance.now() - begin)
  }
  stop.abort()
  watcher.close()
  await restarting
  tell('kill to the next first instruction', times)
}

async function commands(runtime: ProcessRuntime): Promise<void> {
  const times: number[] = []
  for (let round = 0; round < 30; round++) {
    const begin = performance.now()
    await runtime.exec(
      { instance: 'restarts' as InstanceId, command: ['true'], searchPath: ['/bin'], env: {}, timeout: 5_000 },
      new AbortController().signal,
    )
    times.push(performance.now() - begin)
    await new Promise((done) => setTimeout(done, 30))
  }
  tell('exec of true', times)
}

async function many(runtime: ProcessRuntime): Promise<void> {
  const instances = Array.from({ length: MANY }, (_, index) => `many-${index}` as InstanceId)
  await timed(`${MANY} starts from nothing`, () =>
    Promise.all(instances.map((instance) => runtime.start(config(instance, 1, ['sleep', '1000'])))),
  )
  await timed(`list of ${MANY}`, () => runtime.list())
  await timed(`${MANY} killed and told`, async () => {
    await Promise.all(instances.map((instance) => runtime.signal(runId(instance, 1), 'KILL', 'Main')))
    while ((await runtime.list()).filter(({ run }) => run?.state === 'exited').length < MANY)
      await new Promise((done) => setTimeout(done, 5))
  })
  await timed(`${MANY} starts again`, () => Promise.all(instances.map((instance) => runtime.start(config(instance, 2, ['sleep', '1000'])))))
  const before = cpu()
  await new Promise((done) => setTimeout(done, 5_000))
  say(
    `  ${MANY} idle: ${((cpu() - before) / 5 / 10).toFixed(2)} % of a core, ${Math.round(nodeProcess.memoryUsage().rss / 1024 / 1024)} MiB resident`,
  )
}

async function removeAll(runtime: ProcessRuntime): Promise<void> {
  const more = Array.from({ length: LARGE - MANY }, (_, index) => `more-${index}` as InstanceId)
  await timed(`${more.length} with notes, as the agent starts them`, () =>
    Promise.all(
      more.map(async (instance) => {
        await runtime.saveNote(instance, JSON.stringify({ wanted: true, attempt: 1 }))
        await runtime.start(config(instance, 1, ['sleep', '1000']))
        await runtime.saveNote(instance, JSON.stringify({ wanted: true, attempt: 2 }))
      }),
    ),
  )
  const records = await runtime.list()
  const trees = async (): Promise<unknown> =>
    Promise.all(records.map(async ({ run }) => (run === undefined ? undefined : runtime.killTree(run.id))))
  await timed(`${records.length} killed by tree`, trees)
  await timed(`${records.length} killed by tree once more`, trees)
  await timed(`${records.length} removed`, () => Promise.all(records.map(({ instance }) => runtime.remove(instance))))
}

/** Milliseconds of processor time of this process. */
function cpu(): number {
  const fields = readFileSync('/proc/self/stat', 'latin1').split(' ')
  return (Number(fields[13]) + Number(fields[14])) * 10
}

async function timed(what: string, task: () => Promise<unknown>): Promise<void> {
  const delay = monitorEventLoopDelay({ resolution: 5 })
  delay.enable()
  const [begin, before] = [performance.now(), cpu()]
  await task()
  const [took, spent] = [performance.now() - begin, cpu() - before]
  // The monitor's own timer has to come round once more.
  await new Promise((done) => setTimeout(done, 10))
  delay.disable()
  say(`  ${what}: ${Math.round(took)} ms, ${spent} ms of processor here, longest stall ${Math.round(delay.max / 1e6)} ms`)
}

function tell(what: string, times: readonly number[]): void {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number): string => (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(1)
  say(`  ${what}: p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, ${times.length} times`)
}

function say(line: string): void {
  nodeProcess.stdout.write(`${line}\n`)
}

await main()
