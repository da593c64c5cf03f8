import { join } from 'node:path'
import type { Section } from './context.ts'
import { startServer } from './context.ts'
import { background, killTree } from './proc.ts'
import { temporary, watchStarts } from './scratch.ts'
import { applying, processManifest } from './server.ts'

const LINE = 'the quick brown fox jumps over the lazy dog and does so again and again and again'

/** A program that writes lines as fast as it can. */
export const logs: Section = {
  name: 'logs',
  async run(ctx) {
    const megabytes = ctx.quick ? 100 : 500
    const starts = watchStarts(ctx.cleanup)
    const begins = starts.script('begin').split('\n')[1]
    const ends = starts.script('end').split('\n')[1]
    const script = `${begins}\nyes ${LINE} | head -c ${megabytes}000000\n${ends}\nexec sleep 1000000\n`
    const file = join(temporary(ctx.cleanup), 'plain')
    const plain = await measure(() => {
      const { pid } = background(['/bin/sh', '-c', `exec >${file}\n${script}`])
      ctx.cleanup.add(() => killTree(pid))
    })
    const server = await startServer(ctx)
    const before = server.cpu([])
    let after = 0
    const own = await measure(async () => {
      await server.http.send(applying(processManifest('writer', { script })))
    })
    after = server.cpu(starts.pids)
    ctx.report.row({
      what: `a program that writes ${megabytes} MB of lines`,
      value: megabytes / own,
      unit: 'MB/s',
      against: { name: 'to a plain file', value: megabytes / plain },
      target: { text: '≥ 0.9 × plain file', met: own <= plain / 0.9 },
    })
    ctx.report.row({ what: '… processor time of pmk meanwhile', value: after - before, unit: 'ms' })

    async function measure(start: () => unknown): Promise<number> {
      const begin = starts.next('begin', 30_000)
      const end = starts.next('end', 60_000)
      await start()
      return ((await end).at - (await begin).at) / 1_000
    }
  },
}
