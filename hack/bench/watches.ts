import type { Context, Section } from './context.ts'
import { startServer } from './context.ts'
import { type Http, isChange, type Sent } from './http.ts'
import { now, p50, p99, repeated, sleep, within } from './measure.ts'
import { startEtcd } from './peers.ts'
import { atMost } from './report.ts'
import { CONFIG_MAPS, configMap } from './server.ts'
import { etcdPair } from './writes.ts'

/** From a write to those who watch. */
export const watches: Section = {
  name: 'watch',
  async run(ctx) {
    const rounds = ctx.quick ? 50 : 200
    const floor = await ctx.floors.disk()
    const etcd = await startEtcd(ctx.cleanup)
    const beside = etcd === undefined ? undefined : await measureEtcd(etcd, rounds)
    if (etcd === undefined) ctx.report.note('etcd is not installed: not compared')
    await ctx.cleanup.run()

    const one = await measure(ctx, 1, rounds)
    const beyond = p50(one.events) - floor.p50
    ctx.report.row({
      what: 'write → one watcher, from the call, p50',
      value: p50(one.events),
      unit: 'ms',
      detail: spread(one.events),
      ...(beside === undefined ? {} : { against: { name: 'etcd', value: p50(beside) } }),
    })
    ctx.report.row({
      what: '… less one append + fdatasync of the disk',
      value: beyond,
      unit: 'ms',
      detail: 'the request itself is in it',
      target: atMost(beyond, 1, 'ms'),
    })
    const hundred = await measure(ctx, 100, rounds)
    ctx.report.row({
      what: 'write → each of 100 watchers, from the call, p99',
      value: p99(hundred.events),
      unit: 'ms',
      detail: spread(hundred.events),
      target: atMost(p99(hundred.events), 10, 'ms'),
    })
    const thousand = await measure(ctx, 1_000, rounds / 10)
    ctx.report.row({
      what: 'write with 1,000 watchers, acknowledged, p50',
      value: p50(thousand.acks),
      unit: 'ms',
      detail: `${spread(thousand.acks)}; events ${spread(thousand.events)}`,
      against: { name: 'with one', value: p50(one.acks) },
      target: { text: '≤ 2 × with one', met: p50(thousand.acks) <= 2 * p50(one.acks) },
    })
  },
}

interface Watched {
  /** From the call of a write until each watcher has it. */
  readonly events: readonly number[]
  /** … until its writer has the answer. */
  readonly acks: readonly number[]
}

async function measure(ctx: Context, watchers: number, rounds: number): Promise<Watched> {
  const server = await startServer(ctx)
  const path = `${CONFIG_MAPS}/watched`
  await server.http.send({ method: 'POST', path: CONFIG_MAPS, body: configMap('watched', 0) })
  const found = JSON.parse((await server.http.send({ method: 'GET', path })).toString()) as Versioned
  const watch = { method: 'GET', path: `${CONFIG_MAPS}?watch=1&resourceVersion=${found.metadata.resourceVersion}` }
  const write = (round: number): Sent => ({ method: 'PUT', path, body: configMap('watched', round + 1) })
  const watched = await follow(server.http, { watch, write, isEvent: isChange, watchers, rounds })
  await ctx.cleanup.run()
  return watched
}

interface Versioned {
  readonly metadata: { readonly resourceVersion: string }
}

async function measureEtcd(http: Http, rounds: number): Promise<readonly number[]> {
  const { key } = JSON.parse(etcdPair('watched', 0)) as { readonly key: string }
  const watch = { method: 'POST', path: '/v3/watch', body: JSON.stringify({ create_request: { key } }) }
  const write = (round: number): Sent => ({ method: 'POST', path: '/v3/kv/put', body: etcdPair('watched', round) })
  const isEvent = (line: Buffer): boolean => line.includes('"events"')
  return (await follow(http, { watch, write, isEvent, watchers: 1, rounds })).events
}

interface Following {
  readonly watch: Sent
  readonly write: (round: number) => Sent
  readonly isEvent: (line: Buffer) => boolean
  readonly watchers: number
  readonly rounds: number
}

/** One write after the other, each when all watchers have had the one before. */
async function follow(http: Http, { watch, write, isEvent, watchers, rounds }: Following): Promise<Watched> {
  const events: number[] = []
  let begin = 0
  let missing = 0
  let complete = (): void => {}
  const stops: (() => void)[] = []
  for (let n = 0; n < watchers; n++) {
    stops.push(
      await http.lines(watch, (line, at) => {
        if (!isEvent(line)) return
        events.push(at - begin)
        missing -= 1
        if (missing === 0) complete()
      }),
    )
  }
  try {
    const acks = await repeated(rounds, async (round) => {
      missing = watchers
      const all = new Promise<void>((resolve) => {
        complete = resolve
      })
      begin = now()
      await http.send(write(round))
      const acknowledged = now() - begin
      await within(10_000, `event for ${watchers} watchers`, all)
      await sleep(2)
      return acknowledged
    })
    return { events, acks }
  } finally {
    for (const stop of stops) stop()
  }
}

function spread(values: readonly number[]): string {
  return `p50 ${p50(values).toFixed(2)}, p99 ${p99(values).toFixed(1)}`
}
