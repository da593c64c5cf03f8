// Tries to break what pmk promises. See test/torture/README.md.
import { existsSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import nodeProcess from 'node:process'
import { parseArgs } from 'node:util'
import { torture } from '../test/torture/torture.ts'

const USAGE = `npm run torture -- [--minutes N] [--rounds N] [--seed S] [--worlds N] [--disk ext4|tmpfs|shared] [--json FILE] [--keep]
  --minutes  no round begins after so long (default 2, without --rounds)
  --rounds   so many rounds at most
  --seed     a number; the same one decides the same (default: by chance)
  --worlds   so many servers side by side, with seeds S, S+1 …
  --disk     what the data directory lies on (default ext4 on a loop device where that can be had)
  --json     writes the figures to this file, too
  --keep     keeps the data directories, also of runs without failure`

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string' },
      rounds: { type: 'string' },
      seed: { type: 'string' },
      worlds: { type: 'string', default: '1' },
      disk: { type: 'string', default: 'ext4' },
      json: { type: 'string' },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const disk = (['ext4', 'tmpfs', 'shared'] as const).find((each) => each === values.disk)
  if (values.help || disk === undefined) {
    say(USAGE)
    return values.help ? 0 : 2
  }
  if (!existsSync(resolve(import.meta.dirname, '../dist/main.js'))) {
    say('dist/main.js is missing: npm run build')
    return 2
  }
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31))
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds)
  const minutes = values.minutes === undefined ? (rounds === undefined ? 2 : Number.POSITIVE_INFINITY) : Number(values.minutes)
  const stop = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    nodeProcess.on(name, () => {
      say(`${name}: ending after this round`)
      stop.abort()
    })
  }
  const isTerminal = nodeProcess.stdout.isTTY === true
  const outcomes = await Promise.all(
    Array.from({ length: Number(values.worlds) }, (_, index) =>
      torture({
        seed: seed + index,
        length: minutes * 60_000,
        ...(rounds === undefined ? {} : { rounds }),
        disk,
        keep: values.keep,
        say,
        signal: stop.signal,
        progress: isTerminal ? 5_000 : 60_000,
      }),
    ),
  )
  for (const { seed: own, ms, figures, broken } of outcomes) {
    say(`\nseed ${own}, ${Math.round(ms / 1_000)} s:\n${figures}`)
    if (broken !== undefined) say(`\nseed ${own}: ${broken}`)
  }
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ date: new Date().toISOString(), outcomes }, null, 2)}\n`)
  return outcomes.some(({ broken }) => broken !== undefined) ? 1 : 0
}

function say(line: string): void {
  nodeProcess.stdout.write(`${line}\n`)
}

nodeProcess.exit(await main())
