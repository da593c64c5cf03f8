// Measures what pmk promises to be, beside what this machine and other programs do in the same run. See README.md.
import { existsSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { resolve } from 'node:path'
import nodeProcess from 'node:process'
import { parseArgs } from 'node:util'
import { bulk, thousand } from './bulk.ts'
import { Cleanup } from './cleanup.ts'
import type { Section } from './context.ts'
import { Floors } from './floors.ts'
import { hundred } from './hundred.ts'
import { lists } from './lists.ts'
import { logs } from './logs.ts'
import { now, within } from './measure.ts'
import { overload } from './overload.ts'
import { isInstalled } from './peers.ts'
import { command } from './proc.ts'
import { Report, say } from './report.ts'
import { applyOne, restarts } from './restarts.ts'
import { watches } from './watches.ts'
import { writes } from './writes.ts'

const SECTIONS: readonly Section[] = [restarts, applyOne, writes, watches, lists, logs, hundred, bulk, thousand, overload]

/** The whole run is over before eight minutes are, whatever hangs. */
const LIMIT = 465_000

const USAGE = `npm run bench -- [--only PATTERN] [--quick] [--json FILE] [--markdown FILE] [--path DIRECTORY] [--main FILE] [--cpu-prof DIRECTORY]
  --only      sections whose name matches: ${SECTIONS.map(({ name }) => name).join(', ')}
  --quick     fewer rounds and smaller crowds
  --json      writes the rows to this file, too
  --markdown  writes the table as a page
  --path      looks for peers there first, such as node_modules/.bin of a local PM2
  --main      the built command line (default: dist/main.js)
  --cpu-prof  each server writes a profile there; times are longer then`

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: '' },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      markdown: { type: 'string' },
      path: { type: 'string' },
      main: { type: 'string', default: resolve(import.meta.dirname, '../../dist/main.js') },
      'cpu-prof': { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    say(USAGE)
    return 0
  }
  if (!existsSync(values.main)) {
    say(`${values.main} is missing: npm run build`)
    return 1
  }
  if (values.path !== undefined) nodeProcess.env.PATH = `${resolve(values.path)}:${nodeProcess.env.PATH}`
  const pattern = new RegExp(values.only)
  const cleanup = new Cleanup()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    nodeProcess.once(signal, () => {
      // The last thing that happens: nobody is left to wait for it.
      void cleanup.run().finally(() => nodeProcess.exit(130))
    })
  }
  const profile = values['cpu-prof']
  const report = new Report()
  const ctx = { report, floors: new Floors(cleanup), cleanup, quick: values.quick, main: resolve(values.main), profile }
  const begin = now()
  const busy = loadavg()[0]?.toFixed(1)
  let broken = 0
  for (const section of SECTIONS.filter(({ name }) => pattern.test(name))) {
    report.begin(section.name)
    if (now() - begin > LIMIT) {
      report.note('left out: the time is over')
      continue
    }
    try {
      await within(Math.max(0, begin + LIMIT - now()), 'the time of the whole run', section.run(ctx))
    } catch (err) {
      broken += 1
      report.note(`broke off: ${err instanceof Error ? err.message : err}`)
    }
    for (const err of await cleanup.run()) report.note(`clean-up: ${err.message}`)
  }
  report.print()
  const seconds = Math.round((now() - begin) / 1_000)
  say(`${machine()}; ${seconds} s; load ${busy} at the begin, ${loadavg()[0]?.toFixed(1)} at the end`)
  const date = new Date().toISOString()
  const versions = await versionsOf(values.main)
  if (values.json !== undefined) {
    const about = { date, machine: machine(), versions, load: busy, seconds, quick: values.quick }
    writeFileSync(values.json, `${JSON.stringify({ ...about, ...report.toJSON() }, null, 2)}\n`)
  }
  if (values.markdown !== undefined) {
    const measured = `Measured on ${date.slice(0, 10)} by \`npm run bench\` ([how to read it](../hack/bench/README.md)) in ${seconds} s, load ${busy} at the begin.`
    const programs = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
    writeFileSync(values.markdown, report.markdown('Benchmarks', [measured, '', `${machine()}. ${programs.join(', ')}.`]))
  }
  return broken === 0 ? 0 : 1
}

function machine(): string {
  const model = cpus()[0]?.model ?? 'unknown processor'
  return `${cpus().length} × ${model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${nodeProcess.version}`
}

/** Of pmk and of the peers that are installed, as far as they tell. */
async function versionsOf(main: string): Promise<Readonly<Record<string, string>>> {
  const nothing = { code: 127, output: '' }
  const asked = await Promise.all([
    command([nodeProcess.execPath, main, '--version']),
    command(['sh', '-c', 'dpkg-query -W runit s6 supervisor monit etcd-server 2>/dev/null']),
    isInstalled('pm2')
      ? command(['sh', '-c', 'echo pm2 "$(pm2 --version 2>/dev/null | tail -n 1)"'], { PM2_HOME: '/nonexistent' })
      : nothing,
  ])
  const lines = asked.flatMap(({ output }) => output.split('\n')).map((line) => line.trim().split(/\s+/))
  return Object.fromEntries(lines.flatMap(([name = '', version]) => (version === undefined ? [] : [[name, version]])))
}

// An explicit exit: what a section that was cut short still waits for must not hold the end up.
nodeProcess.exit(await main())
