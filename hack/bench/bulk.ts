import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Context, Section } from './context.ts'
import { startServer } from './context.ts'
import { now, sleep, timed, until } from './measure.ts'
import { isInstalled, PEERS, startPeer } from './peers.ts'
import { cpuOf, isAlive, pssOf, treeOf } from './proc.ts'
import { atMost } from './report.ts'
import { startResponsiveness } from './responsiveness.ts'
import { temporary, watchStarts } from './scratch.ts'
import { type BenchServer, PROCESSES, processManifest } from './server.ts'
import type { Starts } from './starts.ts'

/** The size of the target, and of the restart of the server. */
const CROWD = 500
const LARGE = 1_000
/** Something is broken when it takes longer. */
const CONVERGED = 60_000

/** Many Processes applied in one file, what they cost while they do nothing, and a restart of the server under them. */
export const bulk: Section = {
  name: 'bulk',
  async run(ctx) {
    const count = ctx.quick ? 100 : CROWD
    const floor = await ctx.floors.shellStarts(count)
    await peers(ctx, count)
    const server = await startServer(ctx)
    const starts = watchStarts(ctx.cleanup)
    const applied = await applyMany(ctx, server, starts, names(count))
    ctx.report.row({
      what: `${count} Processes applied in one file → all alive`,
      value: applied.alive / 1_000,
      unit: 's',
      against: { name: 'a loop in sh', value: floor / 1_000 },
      target: atMost(applied.alive / 1_000, 2.5, 's'),
    })
    ctx.report.row({ what: '… pmk apply itself', value: applied.command / 1_000, unit: 's' })
    ctx.report.row({
      what: '… until all are Ready',
      value: applied.ready / 1_000,
      unit: 's',
      detail: `${spent(applied.cpu)}, ${(applied.writes / count).toFixed(1)} writes each`,
    })
    const stall = applied.longestStall
    ctx.report.row({ what: '… longest stall of the event loop', value: stall, unit: 'ms', target: atMost(stall, 50, 'ms') })
    await idle(ctx, server, starts, count)
    await restart(ctx, server, starts, count)
    await removeAll(ctx, server, starts)
  },
}

/** Twice as many, with memory; then once more while others ask for lists, watch and use the command line. */
export const thousand: Section = {
  name: 'thousand',
  async run(ctx) {
    const count = ctx.quick ? 200 : LARGE
    const server = await startServer(ctx)
    const starts = watchStarts(ctx.cleanup)
    await applyMany(ctx, server, starts, ['first'])
    await sleep(1_000)
    const one = server.pss(starts.pids) / 1_024
    ctx.report.row({ what: 'memory of pmk with 1 Process (PSS)', value: one, unit: 'MiB', target: atMost(one, 70, 'MiB') })
    const applied = await applyMany(ctx, server, starts, names(count))
    const floor = await ctx.floors.shellStarts(count)
    ctx.report.row({
      what: `${count} Processes applied in one file → all alive`,
      value: applied.alive / 1_000,
      unit: 's',
      against: { name: 'a loop in sh', value: floor / 1_000 },
    })
    ctx.report.row({ what: '… pmk apply itself', value: applied.command / 1_000, unit: 's' })
    ctx.report.row({
      what: '… until all are Ready',
      value: applied.ready / 1_000,
      unit: 's',
      detail: `${spent(applied.cpu)}, ${(applied.writes / count).toFixed(1)} writes each`,
    })
    ctx.report.row({ what: '… longest stall of the event loop', value: applied.longestStall, unit: 'ms' })
    await sleep(1_000)
    const each = (server.pss(starts.pids) - one * 1_024) / count
    ctx.report.row({ what: 'memory for each further Process (PSS)', value: each, unit: 'KiB', target: atMost(each, 100, 'KiB') })
    await removeAll(ctx, server, starts)
    const stop = await startResponsiveness(server)
    let disturbed: Applied
    try {
      disturbed = await applyMany(ctx, server, starts, names(count))
    } finally {
      await stop(ctx.report, `while ${count} are applied`)
    }
    ctx.report.row({ what: '… until all are Ready, with these requests beside', value: disturbed.ready / 1_000, unit: 's' })
  },
}

interface Applied {
  /** All in milliseconds from the start of the command. */
  readonly command: number
  readonly alive: number
  readonly ready: number
  readonly longestStall: number
  /** Of the server, launcher and shims until all were Ready. */
  readonly cpu: number
  /** How often the store was written. */
  readonly writes: number
}

async function applyMany(ctx: Context, server: BenchServer, starts: Starts, wanted: readonly string[]): Promise<Applied> {
  const file = join(temporary(ctx.cleanup), 'many.yaml')
  const manifests = wanted.map((name) => JSON.stringify(processManifest(name, { command: starts.command(name) })))
  writeFileSync(file, manifests.join('\n---\n'))
  const waiting = new Set(wanted)
  let lastReady = 0
  const stopWatch = await server.http.lines({ method: 'GET', path: `${PROCESSES}?watch=1` }, (line, at) => {
    const { object } = JSON.parse(line.toString()) as WatchedProcess
    if (object.status?.readyReplicas === 1 && waiting.delete(object.metadata.name) && waiting.size === 0) lastReady = at
  })
  try {
    await server.measureLoop()
    const before = server.cpu([])
    const revision = await server.revision()
    const alive = starts.count(wanted.length, CONVERGED)
    const begin = now()
    const [took, last] = await Promise.all([timed(() => server.pmk('apply', '-f', file)), alive])
    await until(CONVERGED, `readiness of ${wanted.length} Processes`, () => waiting.size === 0)
    const longestStall = await server.longestStall()
    const cpu = server.cpu(starts.pids) - before
    const written = (await server.revision()) - revision
    return { cpu, writes: written, command: took, alive: last.at - begin, ready: lastReady - begin, longestStall }
  } finally {
    stopWatch()
  }
}

interface WatchedProcess {
  readonly object: { readonly metadata: { readonly name: string }; readonly status?: { readonly readyReplicas?: number } }
}

async function idle(ctx: Context, server: BenchServer, starts: Starts, count: number): Promise<void> {
  // What follows a crowd of starts is not idleness yet: V8 goes on compiling and collecting for a minute or so.
  await sleep(ctx.quick ? 3_000 : 60_000)
  // The slowest of the server's own rounds comes every 60 s.
  const ms = ctx.quick ? 3_000 : 61_000
  const before = server.cpu(starts.pids)
  await sleep(ms)
  const share = ((server.cpu(starts.pids) - before) / ms) * 100
  ctx.report.row({ what: `idle with ${count} Processes, share of a core`, value: share, unit: '%', target: atMost(share, 0.1, '%') })
}

async function restart(ctx: Context, server: BenchServer, starts: Starts, count: number): Promise<void> {
  const before = starts.pids
  // A profile is written at a regular end only.
  await server.stop(ctx.profile === undefined ? 'SIGKILL' : 'SIGTERM')
  const took = (await server.start()) / 1_000
  const gone = before.filter((pid) => !isAlive(pid)).length
  if (gone > 0) ctx.report.note(`${gone} of ${count} programs did not live through the restart of the server`)
  ctx.report.row({
    what: `kill -9 of the server with ${count} live Processes → ready`,
    value: took,
    unit: 's',
    against: { name: 'node -e 0', value: (await ctx.floors.node()) / 1_000 },
    target: atMost(took, 2, 's'),
  })
}

async function removeAll(ctx: Context, server: BenchServer, starts: Starts): Promise<void> {
  const pids = starts.pids
  const before = cpuOf([server.pid])
  const revision = await server.revision()
  await server.measureLoop()
  const took = await timed(() => server.pmk('delete', 'processes', '--all', '--timeout=60s'))
  const stall = await server.longestStall()
  const cpu = cpuOf([server.pid]) - before
  const written = (await server.revision()) - revision
  const left = pids.filter(isAlive).length
  if (left > 0) ctx.report.note(`${left} of ${pids.length} programs are still there after the delete`)
  starts.forget()
  ctx.report.row({
    what: `${pids.length} Processes deleted, until all are gone`,
    value: took / 1_000,
    unit: 's',
    detail: `${spent(cpu)}, ${(written / pids.length).toFixed(1)} writes each`,
  })
  ctx.report.row({ what: '… longest stall of the event loop', value: stall, unit: 'ms' })
}

/** The same programs under others, which have their configuration ready before the clock starts. */
async function peers(ctx: Context, count: number): Promise<void> {
  for (const peer of PEERS.filter(({ crowd, program }) => crowd >= count && isInstalled(program))) {
    const starts = watchStarts(ctx.cleanup)
    const last = starts.count(count, 60_000)
    let begin = now()
    const pid = startPeer(peer, names(count), starts, ctx.cleanup, () => {
      begin = now()
    })
    const took = ((await last).at - begin) / 1_000
    const programs = new Set(starts.pids)
    const each = pssOf(treeOf(pid).filter((one) => !programs.has(one))) / count
    ctx.report.row({ what: `${count} programs started by ${peer.name}, without logs`, value: took, unit: 's' })
    ctx.report.row({ what: `… memory of ${peer.name} for each of them (PSS)`, value: each, unit: 'KiB' })
    await ctx.cleanup.run()
  }
}

function spent(cpu: number): string {
  return `${(cpu / 1_000).toFixed(1)} s of processor`
}

function names(count: number): readonly string[] {
  return Array.from({ length: count }, (_, n) => `p${n}`)
}
