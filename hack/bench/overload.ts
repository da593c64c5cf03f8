import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import nodeProcess from 'node:process'
import type { Cleanup } from './cleanup.ts'
import type { Context, Section } from './context.ts'
import { startServer } from './context.ts'
import { isChange } from './http.ts'
import { now, p50, p99, sleep, timed, until, within } from './measure.ts'
import { cpuOf, kill, treeOf } from './proc.ts'
import { watchStarts } from './scratch.ts'
import { applying, type BenchServer, CONFIG_MAPS, PROCESSES, processManifest } from './server.ts'
import type { Starts } from './starts.ts'

/** Of each trouble so many. */
const CROWD = 500
const HEALTHY = 'healthy'
const INSTANCES = PROCESSES.replace('processes', 'instances')
const EVENTS = CONFIG_MAPS.replace('configmaps', 'events')
/** Something is broken when the crowd is not up by then. */
const CONVERGED = 240_000
/** Between two deaths of the healthy one. */
const PAUSE = 500
/** Listens with room for one, and says where. */
const LISTEN = `require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, function () { console.log(this.address().port) })`

interface InstanceHead {
  readonly metadata: { readonly name: string }
  readonly spec: { readonly process: string }
  readonly status?: { readonly phase?: string; readonly pid?: number; readonly restartCount?: number }
}

interface InstanceList {
  readonly items: readonly InstanceHead[]
}

/** What a healthy program and a caller notice of hundreds that crash in a loop and hundreds whose probes hang. */
export const overload: Section = {
  name: 'overload',
  async run(ctx) {
    const count = ctx.quick ? 100 : CROWD
    const server = await startServer(ctx)
    const starts = watchStarts(ctx.cleanup)
    const ports = { mute: await muteServer(ctx.cleanup), deaf: await deafServer(ctx.cleanup) }
    const first = starts.next(HEALTHY)
    await apply(server, HEALTHY, { command: starts.command(HEALTHY), backoff: { resetAfter: '0s' } })
    await first
    await measured(ctx, server, starts, 'alone')
    await hang(server, count, ports)
    await measured(ctx, server, starts, `while ${count} probes hang`)
    await apply(server, 'crash', { command: ['false'], replicas: count, backoff: { initial: '1s', max: '5s' } })
    await until(
      CONVERGED,
      `${count} that crash in a loop`,
      async () =>
        (await instances(server)).filter(({ spec, status }) => spec.process === 'crash' && (status?.restartCount ?? 0) >= 3).length ===
        count,
      1_000,
    )
    await measured(ctx, server, starts, `while ${count} probes hang and ${count} crash in a loop`)
  },
}

/** A third each by a command, a request and a connection; each attempt is given up by the time the next is due. */
async function hang(server: BenchServer, count: number, { mute, deaf }: { readonly mute: number; readonly deaf: number }): Promise<void> {
  const probes = {
    exec: { exec: { command: ['sleep', '99999'] } },
    http: { httpGet: { port: mute, path: '/' } },
    tcp: { tcpSocket: { port: deaf } },
  }
  const each = Math.ceil(count / 3)
  for (const [name, probe] of Object.entries(probes)) {
    const readinessProbe = { periodSeconds: 5, timeoutSeconds: 2, failureThreshold: 1, ...probe }
    await apply(server, name, { command: ['sleep', '1000000'], replicas: each, readinessProbe })
  }
  const isUp = ({ spec, status }: InstanceHead): boolean => spec.process in probes && status?.phase === 'Running'
  await until(CONVERGED, 'programs with probes', async () => (await instances(server)).filter(isUp).length === 3 * each, 500)
  // All attempts have begun.
  await sleep(6_000)
}

async function measured(ctx: Context, server: BenchServer, starts: Starts, when: string): Promise<void> {
  const rounds = ctx.quick ? 8 : 30
  // The status of a start may come before the start is noticed here.
  const told = new Map<number, number>()
  const stopWatch = await server.http.lines(
    { method: 'GET', path: `${INSTANCES}?watch=1&fieldSelector=metadata.name%3D${HEALTHY}-0` },
    (line, at) => {
      if (!isChange(line)) return
      const { status } = (JSON.parse(line.toString()) as { readonly object: InstanceHead }).object
      if (status?.phase === 'Running' && status.pid !== undefined && !told.has(status.pid)) told.set(status.pid, at)
    },
  )
  const took = { start: [] as number[], status: [] as number[], get: [] as number[], list: [] as number[] }
  const before = {
    at: now(),
    revision: await server.revision(),
    starts: await startsIn(server),
    cpu: cpuOf(server.own([])),
    server: cpuOf([server.pid]),
  }
  await server.measureLoop()
  for (let round = 0; round < rounds; round++) {
    const next = starts.next(HEALTHY, 60_000)
    const begin = now()
    kill(starts.pidOf(HEALTHY))
    const { at, pid } = await next
    took.start.push(at - begin)
    await until(60_000, 'status of the next start', () => told.has(pid))
    took.status.push((told.get(pid) ?? Number.NaN) - begin)
    took.get.push(await timed(() => server.http.send({ method: 'GET', path: `${INSTANCES}/${HEALTHY}-0` })))
    took.list.push(await timed(() => server.http.send({ method: 'GET', path: PROCESSES })))
    await sleep(PAUSE)
  }
  const stall = await server.longestStall()
  stopWatch()
  const seconds = (now() - before.at) / 1_000
  const restarts = (await startsIn(server)) - before.starts
  const writes = (await server.revision()) - before.revision
  const row = (what: string, values: readonly number[]): void =>
    ctx.report.row({
      what: `${what} ${when}, p50`,
      value: p50(values),
      unit: 'ms',
      detail: `p99 ${p99(values).toFixed(1)}, ${values.length} times`,
    })
  row('death → next first instruction', took.start)
  row('… death → its status with a watcher', took.status)
  row('… GET of one object', took.get)
  row('… GET of all Processes', took.list)
  ctx.report.row({ what: '… longest stall of the event loop', value: stall, unit: 'ms' })
  const perStart = restarts === 0 ? '' : `, ${(writes / restarts).toFixed(1)} for each`
  ctx.report.row({
    what: '… writes',
    value: writes / seconds,
    unit: '/s',
    detail: `${(restarts / seconds).toFixed(1)} restarts/s${perStart}`,
  })
  const share = (cpuOf([server.pid]) - before.server) / (seconds * 10)
  ctx.report.row({ what: '… share of a core of the server', value: share, unit: '%' })
  const events = (await server.http.json<InstanceList>({ method: 'GET', path: EVENTS })).items.length
  const tree = treeOf(server.pid).length
  const memory = server.pss([]) / 1_024
  ctx.report.row({
    what: '… memory of all (PSS)',
    value: memory,
    unit: 'MiB',
    detail: `${tree} processes below the server, ${events} Events`,
  })
}

async function apply(server: BenchServer, name: string, spec: object): Promise<void> {
  await server.http.send(applying(processManifest(name, spec)))
}

async function instances(server: BenchServer): Promise<readonly InstanceHead[]> {
  return (await server.http.json<InstanceList>({ method: 'GET', path: INSTANCES })).items
}

async function startsIn(server: BenchServer): Promise<number> {
  return (await instances(server)).reduce((sum, { status }) => sum + (status?.restartCount ?? 0), 0)
}

/** The port of one that lets everybody in and never says a word. */
async function muteServer(cleanup: Cleanup): Promise<number> {
  const mute = createServer((socket) => socket.on('error', () => {}))
  cleanup.add(() => {
    mute.close()
  })
  mute.listen(0, '127.0.0.1')
  await once(mute, 'listening')
  return (mute.address() as AddressInfo).port
}

/** The port of one that is stopped: its queue is full after the first two, and nobody else is let in. */
async function deafServer(cleanup: Cleanup): Promise<number> {
  const child = spawn(nodeProcess.execPath, ['-e', LISTEN], { stdio: ['ignore', 'pipe', 'ignore'] })
  cleanup.add(() => child.kill('SIGKILL'))
  const [said] = (await within(20_000, 'a server to listen', once(child.stdout, 'data'))) as [Buffer]
  child.kill('SIGSTOP')
  return Number(said.toString())
}
