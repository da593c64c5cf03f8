import type { Context, Section } from './context.ts'
import { startServer } from './context.ts'
import { p50, p99, repeated, sleep, timed } from './measure.ts'
import { atMost } from './report.ts'
import { type BenchServer, PROCESSES, stoppedProcess } from './server.ts'

const WRITERS = 64

/** Reads of many Processes of which nothing runs, and the command line. */
export const lists: Section = {
  name: 'list',
  async run(ctx) {
    const server = await startServer(ctx)
    await create(server, 0, 100)
    await settled(server)
    const node = await ctx.floors.node()
    const cli = await repeated(ctx.quick ? 5 : 15, () => timed(() => server.pmk('get', 'processes')))
    ctx.report.row({
      what: 'pmk get processes, 100 Processes, p50',
      value: p50(cli),
      unit: 'ms',
      detail: `p99 ${p99(cli).toFixed(0)}`,
      against: { name: 'node -e 0', value: node },
      target: { text: '≤ node -e 0 + 60 ms', met: p50(cli) <= node + 60 },
    })
    const before = await server.heap()
    const count = ctx.quick ? 2_000 : 10_000
    const took = await timed(() => create(server, 100, count))
    ctx.report.row({
      what: `${count} Processes created`,
      value: ((count - 100) / took) * 1_000,
      unit: '/s',
      detail: `${WRITERS} connections`,
    })
    await settled(server)
    const each = ((await server.heap()) - before) / 1_024 / (count - 100)
    ctx.report.row({
      what: 'heap for an object: half of a Process with its Revision',
      value: each / 2,
      unit: 'KiB',
      target: atMost(each / 2, 6, 'KiB'),
    })
    await list(ctx, server, `list of ${count} Processes, full, p50`, '', 150)
    await list(ctx, server, `list of ${count} Processes, limit=500, p50`, '?limit=500', 60)
    await list(ctx, server, `list of ${count} Processes, one by label, p50`, '?labelSelector=none%3Dsuch', 150)
  },
}

async function list(ctx: Context, server: BenchServer, what: string, query: string, limit: number): Promise<void> {
  let bytes = 0
  const took = await repeated(10, () =>
    timed(async () => {
      bytes = (await server.http.send({ method: 'GET', path: `${PROCESSES}${query}` })).length
    }),
  )
  const detail = `p99 ${p99(took).toFixed(0)}, ${Math.round(bytes / 1_024)} KiB`
  ctx.report.row({ what, value: p50(took), unit: 'ms', detail, target: atMost(p50(took), limit, 'ms') })
}

async function create(server: BenchServer, from: number, to: number): Promise<void> {
  let next = from
  const writer = async (): Promise<void> => {
    while (next < to) {
      const body = JSON.stringify(stoppedProcess(`s${String(next++).padStart(5, '0')}`))
      await server.http.send({ method: 'POST', path: PROCESSES, body })
    }
  }
  await Promise.all(Array.from({ length: WRITERS }, writer))
}

/** Waits until the controllers have nothing more to write. */
async function settled(server: BenchServer): Promise<void> {
  for (let before = 0, now = await server.revision(), round = 0; before !== now && round < 30; round++) {
    before = now
    await sleep(1_000)
    now = await server.revision()
  }
}
