import type { Context, Section } from './context.ts'
import { startServer } from './context.ts'
import { now, p50, quantile, repeated, sleep, timed } from './measure.ts'
import { isInstalled, PEERS, type Peer, startPeer } from './peers.ts'
import { kill } from './proc.ts'
import { watchStarts } from './scratch.ts'
import { applying, processManifest } from './server.ts'
import type { Starts } from './starts.ts'

/** Killed one after the other, so that each has lived long enough for a restart at once when its turn comes again. */
const PROGRAMS = 12

/** Death → the next program's first instruction, here and elsewhere. */
export const restarts: Section = {
  name: 'restart',
  async run(ctx) {
    const rounds = ctx.quick ? 24 : 60
    const shell = await ctx.floors.shellRestart(rounds)
    const spawned = await ctx.floors.posixSpawnRestart(rounds)
    const peers = new Map<string, readonly number[]>()
    for (const peer of PEERS) {
      if (isInstalled(peer.program)) peers.set(peer.name, await ofPeer(ctx, peer, peer.slow ? 4 : rounds))
      else ctx.report.note(`${peer.name} is not installed: not compared`)
    }
    const own = await ofPmk(ctx, rounds)
    const runit = peers.get('runit')
    const p95 = (took: readonly number[]): string => `p95 ${quantile(took, 0.95).toFixed(1)}, ${took.length} times`
    ctx.report.row({
      what: 'death → next first instruction, p50',
      value: p50(own),
      unit: 'ms',
      detail: p95(own),
      ...(runit === undefined
        ? {}
        : { against: { name: 'runit', value: p50(runit) }, target: { text: '< runit', met: p50(own) < p50(runit) } }),
    })
    const bare = spawned ?? shell
    ctx.report.row({
      what: 'death → next first instruction, against the floor',
      value: p50(own),
      unit: 'ms',
      against: { name: spawned === undefined ? 'loop in sh' : 'posix_spawn', value: p50(bare) },
      target: { text: 'stretch: ≤ 4 × floor', met: p50(own) <= 4 * p50(bare) },
    })
    ctx.report.row({ what: '… a loop in sh', value: p50(shell), unit: 'ms', detail: p95(shell) })
    for (const [name, took] of peers) ctx.report.row({ what: `… ${name}`, value: p50(took), unit: 'ms', detail: p95(took) })
  },
}

/** `apply` of one Process → its first instruction. */
export const applyOne: Section = {
  name: 'apply',
  async run(ctx) {
    const server = await startServer(ctx)
    const starts = watchStarts(ctx.cleanup)
    const rounds = ctx.quick ? 15 : 40
    const took = await repeated(rounds, async (round) => {
      await sleep(50)
      const next = starts.next(`a${round}`)
      const begin = now()
      await server.http.send(applying(processManifest(`a${round}`, { command: starts.command(`a${round}`) })))
      return (await next).at - begin
    })
    const floor = await ctx.floors.disk()
    ctx.report.row({
      what: 'apply of one Process → first instruction, p50',
      value: p50(took),
      unit: 'ms',
      detail: `p95 ${quantile(took, 0.95).toFixed(1)}, ${rounds} times`,
      against: { name: 'one append + fdatasync', value: floor.p50 },
      target: { text: '≤ 25 ms', met: p50(took) <= 25 },
    })
    const cli = await repeated(5, (round) => timed(() => server.pmk('get', 'process', `a${round}`)))
    ctx.report.row({
      what: 'pmk get process NAME, p50',
      value: p50(cli),
      unit: 'ms',
      against: { name: 'node -e 0', value: await ctx.floors.node() },
    })
  },
}

async function ofPmk(ctx: Context, rounds: number): Promise<readonly number[]> {
  const server = await startServer(ctx)
  const starts = watchStarts(ctx.cleanup)
  const all = starts.count(PROGRAMS, 30_000)
  for (const name of names()) {
    const spec = { command: starts.command(name), backoff: { resetAfter: '1s' } }
    await server.http.send(applying(processManifest(name, spec)))
  }
  await all
  await sleep(1_500)
  const took = await killInTurn(starts, rounds, 1_100)
  await server.close()
  return took
}

async function ofPeer(ctx: Context, peer: Peer, rounds: number): Promise<readonly number[]> {
  const starts = watchStarts(ctx.cleanup)
  const all = starts.count(PROGRAMS, 30_000)
  startPeer(peer, names(), starts, ctx.cleanup)
  await all
  await sleep(1_500)
  const took = await killInTurn(starts, rounds, peer.lifeBeforeRestart)
  await ctx.cleanup.run()
  return took
}

function killInTurn(starts: Starts, rounds: number, life: number): Promise<readonly number[]> {
  return repeated(rounds, async (round) => {
    await sleep(life / PROGRAMS)
    const name = `r${round % PROGRAMS}`
    const next = starts.next(name, 10_000)
    const begin = now()
    kill(starts.pidOf(name))
    return (await next).at - begin
  })
}

function names(): readonly string[] {
  return Array.from({ length: PROGRAMS }, (_, n) => `r${n}`)
}
