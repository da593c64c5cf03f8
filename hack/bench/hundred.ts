import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Section } from './context.ts'
import { startServer } from './context.ts'
import { sleep } from './measure.ts'
import { isInstalled, PEERS, startPeer } from './peers.ts'
import { cpuOf, pssOf, treeOf } from './proc.ts'
import type { Report } from './report.ts'
import { temporary, watchStarts } from './scratch.ts'
import { processManifest } from './server.ts'

const COUNT = 100
/** A start takes PM2 a tenth of a second. */
const STARTED = 60_000
/** Starts are over, and what follows them. */
const SETTLING = 2_000

/** What a supervisor costs that has nothing to do: 100 programs that sleep, under each. */
export const hundred: Section = {
  name: 'hundred',
  async run(ctx) {
    const names = Array.from({ length: COUNT }, (_, n) => `p${n}`)
    const window = ctx.quick ? 3_000 : 10_000
    for (const peer of PEERS.filter(({ crowd }) => crowd >= COUNT)) {
      if (!isInstalled(peer.program)) {
        ctx.report.note(`${peer.name} is not installed: not compared`)
        continue
      }
      const starts = watchStarts(ctx.cleanup)
      const last = starts.count(COUNT, STARTED)
      const pid = startPeer(peer, names, starts, ctx.cleanup)
      await last
      const programs = new Set(starts.pids)
      await report(ctx.report, `${peer.name}, without logs`, window, () => treeOf(pid).filter((one) => !programs.has(one)))
      await ctx.cleanup.run()
    }
    const server = await startServer(ctx)
    const starts = watchStarts(ctx.cleanup)
    const file = join(temporary(ctx.cleanup), 'hundred.yaml')
    writeFileSync(file, names.map((name) => JSON.stringify(processManifest(name, { command: starts.command(name) }))).join('\n---\n'))
    const last = starts.count(COUNT, STARTED)
    await server.pmk('apply', '-f', file)
    await last
    await report(ctx.report, 'pmk, with logs', window, () => server.own(starts.pids))
  },
}

/** The rows of one supervisor; `own` gives its processes without those it runs. */
async function report(rows: Report, name: string, window: number, own: () => readonly number[]): Promise<void> {
  await sleep(SETTLING)
  const before = own()
  const cpu = cpuOf(before)
  await sleep(window)
  const share = ((cpuOf(before) - cpu) / window) * 100
  rows.row({ what: `${COUNT} idle programs under ${name}: memory (PSS)`, value: pssOf(own()) / 1_024, unit: 'MiB' })
  rows.row({ what: '… share of a core', value: share, unit: '%' })
}
