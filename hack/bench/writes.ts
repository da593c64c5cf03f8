import type { Section } from './context.ts'
import { startServer } from './context.ts'
import type { Http } from './http.ts'
import { type Load, load } from './measure.ts'
import { startEtcd } from './peers.ts'
import { applying, CONFIG_MAPS, configMap, PROCESSES, stoppedProcess } from './server.ts'

const CONNECTIONS = [1, 16, 128] as const

/** Durable writes through HTTP: acknowledged means on the disk. */
export const writes: Section = {
  name: 'writes',
  async run(ctx) {
    const ms = ctx.quick ? 1_000 : 3_000
    const floor = await ctx.floors.disk()
    ctx.report.row({ what: 'append + fdatasync of the disk, p50', value: floor.p50, unit: 'ms', detail: `p99 ${floor.p99.toFixed(2)}` })
    const etcd = await startEtcd(ctx.cleanup)
    if (etcd === undefined) ctx.report.note('etcd is not installed: not compared')
    const peer = new Map<number, Load>()
    for (const connections of CONNECTIONS) {
      if (etcd === undefined) break
      const measured = await load(connections, ms, etcdPut(etcd))
      peer.set(connections, measured)
      ctx.report.row({ what: `… etcd, ${connections} connections`, value: measured.perSecond, unit: '/s', detail: spread(measured) })
    }
    await ctx.cleanup.run()
    const server = await startServer(ctx)
    for (let n = 0; n < Math.max(...CONNECTIONS); n++)
      await server.http.send({ method: 'POST', path: CONFIG_MAPS, body: configMap(`c${n}`, 0) })
    let round = 0
    const put = (n: number): Promise<unknown> => {
      round += 1
      return server.http.send({ method: 'PUT', path: `${CONFIG_MAPS}/c${n}`, body: configMap(`c${n}`, round) })
    }
    for (const connections of CONNECTIONS) {
      const before = server.cpu([])
      const own = await load(connections, ms, put)
      const measured = { ...own, cpu: (server.cpu([]) - before) / own.count }
      if (connections === 1) {
        ctx.report.row({
          what: 'durable write through HTTP, one after the other, p50',
          value: measured.p50,
          unit: 'ms',
          detail: spread(measured),
          against: { name: 'append + fdatasync', value: floor.p50 },
          target: { text: '≤ 2.5 × floor', met: measured.p50 <= 2.5 * floor.p50 },
        })
        const beside = peer.get(1)
        if (beside !== undefined)
          ctx.report.row({ what: '… against etcd', value: measured.p50, unit: 'ms', against: { name: 'etcd', value: beside.p50 } })
        continue
      }
      const beside = peer.get(connections)
      ctx.report.row({
        what: `durable writes, ${connections} connections`,
        value: measured.perSecond,
        unit: '/s',
        detail: spread(measured),
        ...(beside === undefined
          ? {}
          : {
              against: { name: 'etcd', value: beside.perSecond },
              target: { text: '≥ 1.3 × etcd', met: measured.perSecond >= 1.3 * beside.perSecond },
            }),
      })
      const hello = await ctx.floors.hello(connections)
      ctx.report.row({
        what: '… against an HTTP server that does nothing',
        value: measured.perSecond,
        unit: '/s',
        against: { name: 'Fastify', value: hello.perSecond },
      })
    }
    const stopped = stoppedProcess('w')
    await server.http.send(applying(stopped))
    const before = server.cpu([])
    const label = await load(16, ms, () => {
      round += 1
      const body = JSON.stringify({ metadata: { annotations: { round: String(round) } } })
      return server.http.send({ method: 'PATCH', path: `${PROCESSES}/w`, type: 'application/merge-patch+json', body })
    })
    ctx.report.row({
      what: 'merge patches of one Process, 16 connections',
      value: label.perSecond,
      unit: '/s',
      detail: spread({ ...label, cpu: (server.cpu([]) - before) / label.count }),
    })
  },
}

function etcdPut(etcd: Http): (n: number) => Promise<unknown> {
  let round = 0
  return (n) => {
    round += 1
    return etcd.send({ method: 'POST', path: '/v3/kv/put', body: etcdPair(`c${n}`, round) })
  }
}

/** The same object under the same sort of key. */
export function etcdPair(name: string, round: number): string {
  const base64 = (text: string): string => Buffer.from(text).toString('base64')
  return JSON.stringify({ key: base64(`/registry/configmaps/default/${name}`), value: base64(configMap(name, round)) })
}

/** `cpu`: milliseconds of the server's processors for one of them, which a busy machine changes least. */
function spread({ p50, p99, perSecond, cpu }: Load & { readonly cpu?: number }): string {
  const each = cpu === undefined ? '' : `, ${cpu.toFixed(2)} ms of processor each`
  return `${perSecond.toFixed(0)}/s, p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(1)} ms${each}`
}
