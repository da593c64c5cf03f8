import type { Figures } from './figures.ts'
import type { Disk } from './place.ts'
import { Broken, World } from './world.ts'

export interface TortureOptions {
  readonly seed: number
  /** Milliseconds after which no round is begun any more. */
  readonly length: number
  readonly rounds?: number
  readonly disk?: Disk
  readonly keep?: boolean
  readonly say: (line: string) => void
  /** Ends it early, cleanly. */
  readonly signal: AbortSignal
  /** Every so many milliseconds a line of progress. */
  readonly progress?: number
}

export interface Outcome {
  readonly seed: number
  readonly disk: Disk
  readonly ms: number
  readonly figures: Figures
  /** What is not as promised. */
  readonly broken?: string
}

/** Tortures one world until the time is over, something is broken, or the signal. Leaves nothing running. */
export async function torture(options: TortureOptions): Promise<Outcome> {
  const { seed, length, rounds = Number.POSITIVE_INFINITY, disk = 'ext4', keep = false, say, signal, progress = 60_000 } = options
  const begin = performance.now()
  const world = new World({ seed, disk })
  say(
    `seed ${seed}, on ${world.place.disk === 'shared' ? 'the common disk, which is not filled' : `${world.place.disk} of its own`}, in ${world.place.root}`,
  )
  let said = begin
  let broken: string | undefined
  try {
    await world.open()
    for (let round = 0; round < rounds && performance.now() < begin + length && !signal.aborted; round++) {
      await world.round(round)
      if (performance.now() > said + progress) {
        said = performance.now()
        const { serverKills, acknowledged, events } = world.figures
        say(
          `seed ${seed}: round ${round}, ${Math.round((said - begin) / 1_000)} s, ${serverKills} kills, ${acknowledged} writes, ${events} events`,
        )
      }
    }
    if (!signal.aborted) await world.finish()
  } catch (err) {
    if (!signal.aborted) broken = err instanceof Broken ? err.message : `round broke off: ${(err as Error).stack}`
  } finally {
    await world.close({ keep: keep || broken !== undefined })
  }
  if (broken !== undefined) say(`seed ${seed}: kept in ${world.place.root}`)
  return {
    seed,
    disk: world.place.disk,
    ms: Math.round(performance.now() - begin),
    figures: world.figures,
    ...(broken === undefined ? {} : { broken }),
  }
}
