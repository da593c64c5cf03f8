import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import nodeProcess from 'node:process'
import { createInterface } from 'node:readline'
import type { Context, Section } from './context.ts'
import { startServer } from './context.ts'
import { sleep } from './measure.ts'
import { background, killTree, ownTicksOf, pssOf, ticksOf } from './proc.ts'
import { atMost } from './report.ts'
import { temporary, watchStarts } from './scratch.ts'
import { applying, type BenchServer, PROCESSES, processManifest } from './server.ts'
import type { Starts } from './starts.ts'

const LINE = 'the quick brown fox jumps over the lazy dog and does so again and again and again'
/** Written every tenth of a second or so by the moderate writer. */
const CHUNK = 6_000_000

/** Programs that write a lot. */
export const logs: Section = {
  name: 'logs',
  async run(ctx) {
    const starts = watchStarts(ctx.cleanup)
    const server = await startServer(ctx)
    // What follows the start of a server is not the price of logs.
    await sleep(3_000)
    await moderate(ctx, server, starts, false)
    await moderate(ctx, server, starts, true)
    // Last but one: what the server needs to rotate at all, it has by now.
    await fast(ctx, server, starts)
    await lossless(ctx, server, starts)
  },
}

/** As fast as it can, and what the server makes of it. */
async function fast(ctx: Context, server: BenchServer, starts: Starts): Promise<void> {
  const megabytes = ctx.quick ? 100 : 500
  const script = between(starts, `yes ${LINE} | head -c ${megabytes}000000`)
  const file = join(temporary(ctx.cleanup), 'plain')
  const plain = await measure(starts, () => {
    const { pid } = background(['/bin/sh', '-c', `exec >${file}\n${script}`])
    ctx.cleanup.add(() => killTree(pid))
  })
  const memory = pssOf([server.pid])
  const before = ticksOf(server.pid)
  const own = await measure(starts, () => server.http.send(applying(processManifest('fast', { script }))))
  const cpu = ticksOf(server.pid) - before
  await removed(server, 'fast')
  const grown = Math.max(0, pssOf([server.pid]) - memory) / 1_024
  ctx.report.row({
    what: `a program that writes ${megabytes} MB of lines`,
    value: megabytes / own,
    unit: 'MB/s',
    against: { name: 'to a plain file', value: megabytes / plain },
    target: { text: '≥ 0.9 × plain file', met: own <= plain / 0.9 },
  })
  ctx.report.row({ what: '… processor time of pmk meanwhile', value: cpu, unit: 'ms', detail: 'gzip of the archives included' })
  ctx.report.row({ what: '… growth of the server meanwhile (PSS)', value: grown, unit: 'MiB', target: atMost(grown, 16, 'MiB') })
}

/** Some 60 MB/s: what one may see for minutes. */
async function moderate(ctx: Context, server: BenchServer, starts: Starts, compress: boolean): Promise<void> {
  const chunks = ctx.quick ? 20 : 80
  const loop = `n=0; while [ $n -lt ${chunks} ]; do yes ${LINE} | head -c ${CHUNK}; n=$((n+1)); sleep 0.08; done`
  const spec = { script: between(starts, loop), logs: { compress } }
  const begin = starts.next('begin', 30_000)
  const end = starts.next('end', 90_000)
  await server.http.send(applying(processManifest(compress ? 'compressed' : 'moderate', spec)))
  const { at } = await begin
  const before = ticksOf(server.pid)
  const aloneBefore = ownTicksOf(server.pid)
  const seconds = ((await end).at - at) / 1_000
  const own = ticksOf(server.pid) - before
  const alone = ownTicksOf(server.pid) - aloneBefore
  // It has become a `sleep`, which keeps the time of all that it waited for.
  const writer = ticksOf(starts.pidOf('end'))
  await removed(server, compress ? 'compressed' : 'moderate')
  const share = (own / writer) * 100
  const rate = (chunks * CHUNK) / 1e6 / seconds
  ctx.report.row({
    what: compress
      ? '… when the archives are compressed'
      : `processor time of pmk, of that of a program that writes ${rate.toFixed(0)} MB/s`,
    value: share,
    unit: '%',
    detail: `${own.toFixed(0)} ms of ${writer.toFixed(0)}; ${alone.toFixed(0)} ms without the commands that cut the file, which write out dirty pages`,
    ...(compress ? {} : { target: atMost(share, 5, '%') }),
  })
}

/** Numbered lines, many more than one file holds: each must be there once and in its place. */
async function lossless(ctx: Context, server: BenchServer, starts: Starts): Promise<void> {
  const count = ctx.quick ? 2_000_000 : 10_000_000
  const spec = { script: between(starts, `seq -f %.0f 1 ${count}`), logs: { maxSize: '4Mi', maxFiles: 100 } }
  await measure(starts, () => server.http.send(applying(processManifest('numbered', spec))))
  const child = spawn(nodeProcess.execPath, [server.main, '--data-dir', server.dataDir, 'logs', 'numbered'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let expected = 1
  let wrong = 0
  for await (const line of createInterface({ input: child.stdout })) {
    const number = Number(line)
    if (number !== expected) wrong += Math.max(1, Math.abs(number - expected))
    expected = number + 1
  }
  wrong += Math.max(0, count + 1 - expected)
  const archives = readdirSync(join(server.dataDir, 'logs'), { recursive: true }).filter((file) => /\.gz$|\.zst$/.test(String(file))).length
  ctx.report.row({
    what: `lines lost, doubled or misplaced of ${count / 1e6} million across rotations`,
    value: wrong,
    unit: 'lines',
    detail: `${archives} archives`,
    target: { text: '0', met: wrong === 0 },
  })
}

/** Ends a program, so that its log isn't put into archives while the next one is measured. */
async function removed(server: BenchServer, name: string): Promise<void> {
  await server.http.send({ method: 'DELETE', path: `${PROCESSES}/${name}` })
  await sleep(2_000)
}

/** A script that tells when it begins and when it has ended, and stays. */
function between(starts: Starts, work: string): string {
  const tell = (name: string): string => starts.script(name).split('\n')[1] ?? ''
  return `${tell('begin')}\n${work}\n${tell('end')}\nexec sleep 1000000\n`
}

/** Seconds from begin to end of what `start` starts. */
async function measure(starts: Starts, start: () => unknown): Promise<number> {
  const begin = starts.next('begin', 30_000)
  const end = starts.next('end', 90_000)
  await start()
  return ((await end).at - (await begin).at) / 1_000
}
