import { CONFIGS, DEADLY, randomSpec, SECRETS, SLOTS, type Slot, type Spec, type Surroundings, toyArgs } from './manifests.ts'
import { Random } from './random.ts'

/** One thing to do to one Process. */
export type Deed =
  | { readonly type: 'apply'; readonly spec: Spec }
  | { readonly type: 'patch'; readonly spec: Readonly<Record<string, unknown>> }
  | { readonly type: 'scale'; readonly replicas: number }
  | { readonly type: 'start' | 'stop' | 'suspend' | 'resume' | 'restart' | 'restartNow' | 'delete' | 'orphan' }
  | { readonly type: 'signal' | 'reload' | 'action' }
  /** Frozen for so many milliseconds. */
  | { readonly type: 'pause'; readonly ms: number }
  /** By the real command line. */
  | { readonly type: 'cli'; readonly verb: 'stop' | 'start' | 'restart' }

export interface Step<T> {
  /** Milliseconds after the round began. */
  readonly at: number
  readonly deed: T
}

/** A blow from outside. */
export type Blow =
  | { readonly type: 'killProgram'; readonly slot: string; readonly index: number; readonly signal: string }
  | { readonly type: 'killShim'; readonly slot: string; readonly index: number }
  | { readonly type: 'killLauncher' }
  | { readonly type: 'fill' | 'free' }
  | { readonly type: 'configure'; readonly kind: 'ConfigMap' | 'Secret'; readonly name: string; readonly value: string }
  | {
      readonly type: 'visit'
      readonly kind: 'Process' | 'Instance' | 'ConfigMap'
      readonly from: 'old' | 'present'
      readonly slow: boolean
    }
  | { readonly type: 'follow'; readonly slot: string }

export interface Plan {
  readonly round: number
  readonly length: number
  /** For each kill of the server: how many milliseconds after it was started, or was ready. */
  readonly kills: readonly { readonly after: 'start' | 'ready'; readonly ms: number; readonly politely: boolean }[]
  readonly deeds: ReadonlyMap<string, readonly Step<Deed>[]>
  readonly blows: readonly Step<Blow>[]
  /** Milliseconds between two writes of each writer of the flood. */
  readonly flood: number
}

/** The same for the same seed, round and surroundings. */
export function planOf(seed: number, round: number, around: Surroundings, options: { readonly canFill: boolean }): Plan {
  const random = new Random(seed, round)
  const length = random.int(6_000, 12_000)
  return {
    round,
    length,
    kills: Array.from({ length: 40 }, () => {
      const politely = random.chance(0.08)
      return random.chance(0.6)
        ? { after: 'start', ms: random.int(20, 1_500), politely }
        : { after: 'ready', ms: random.int(0, 800), politely }
    }),
    deeds: deeds(random, round, length, around),
    blows: blows(random, round, length, options.canFill),
    flood: random.pick([2, 10, 50]),
  }
}

function deeds(random: Random, round: number, length: number, around: Surroundings): ReadonlyMap<string, readonly Step<Deed>[]> {
  const steps = new Map<string, Step<Deed>[]>()
  if (round === 0) {
    for (const slot of SLOTS)
      steps.set(slot.name, [{ at: 0, deed: { type: 'apply', spec: randomSpec(random, slot, `${slot.name}.0`, around) } }])
    return steps
  }
  const toys = SLOTS.filter(({ role }) => role === 'toy')
  const count = random.int(15, 40)
  for (let n = 0; n < count; n++) {
    const slot = random.pick(toys)
    const deed = toyDeed(random, slot, `${slot.name}.${round}.${n}`, around)
    steps.set(slot.name, [...(steps.get(slot.name) ?? []), { at: random.int(0, length), deed }])
  }
  for (const { name } of SLOTS.filter(({ role }) => role === 'talker')) {
    if (random.chance(0.15)) steps.set(name, [{ at: random.int(0, length), deed: { type: random.pick(['restart', 'restartNow']) } }])
  }
  for (const [name, list] of steps)
    steps.set(
      name,
      list.sort((a, b) => a.at - b.at),
    )
  return steps
}

function toyDeed(random: Random, slot: Slot, gen: string, around: Surroundings): Deed {
  const type = random.weighted({
    apply: 6,
    patch: 3,
    scale: 3,
    start: 2,
    stop: 2,
    suspend: 1,
    resume: 2,
    restart: 2,
    restartNow: 2,
    delete: 2,
    orphan: 1,
    signal: 2,
    reload: 1,
    action: 1,
    pause: 1,
    cli: 1,
  })
  switch (type) {
    case 'apply':
      return { type, spec: randomSpec(random, slot, gen, around) }
    case 'patch':
      return { type, spec: randomPatch(random, gen) }
    case 'scale':
      return { type, replicas: slot.forks === true ? random.int(0, 1) : random.int(0, 4) }
    case 'pause':
      return { type, ms: random.int(0, 2_000) }
    case 'cli':
      return { type, verb: random.pick(['stop', 'start', 'restart'] as const) }
    default:
      return { type }
  }
}

/** Of a launch field, which restarts, or of others, which must not. */
function randomPatch(random: Random, gen: string): Readonly<Record<string, unknown>> {
  if (random.chance(0.5)) return { args: toyArgs(random, gen, { stopSignal: 'TERM' }), forking: null, stopSignal: 'TERM' }
  return random.pick([
    { backoff: { initial: `${random.int(50, 300)}ms` } },
    { logs: { maxSize: random.pick(['12Ki', '20Ki', '32Ki']) } },
    { minReadySeconds: random.int(0, 1) },
    { terminationGracePeriodSeconds: random.int(1, 2) },
  ])
}

function blows(random: Random, round: number, length: number, canFill: boolean): readonly Step<Blow>[] {
  const steps: Step<Blow>[] = []
  const add = (blow: Blow): void => {
    steps.push({ at: random.int(0, length), deed: blow })
  }
  const hurt = SLOTS.filter(({ role }) => role !== 'bystander' && role !== 'talker').map(({ name }) => name)
  for (let n = random.int(2, 8); n > 0; n--) {
    add({ type: 'killProgram', slot: random.pick(hurt), index: random.int(0, 2), signal: random.pick(DEADLY) })
  }
  if (random.chance(0.4)) add({ type: 'killProgram', slot: random.pick(['talker-a', 'talker-b']), index: 0, signal: 'KILL' })
  if (random.chance(0.4)) add({ type: 'killShim', slot: random.pick(hurt), index: random.int(0, 1) })
  if (random.chance(0.4)) add({ type: 'killLauncher' })
  for (let n = random.int(0, 3); n > 0; n--) {
    add({
      type: 'visit',
      kind: random.pick(['Process', 'Instance', 'ConfigMap']),
      from: random.pick(['old', 'present']),
      slow: random.chance(0.3),
    })
  }
  if (random.chance(0.3)) add({ type: 'follow', slot: random.pick(['talker-a', 'talker-b', 'bystander-a']) })
  if (random.chance(0.5)) add({ type: 'configure', kind: 'ConfigMap', name: random.pick(CONFIGS), value: `${round}` })
  if (random.chance(0.2)) add({ type: 'configure', kind: 'Secret', name: random.pick(SECRETS), value: `${round}` })
  if (canFill && round > 0 && random.chance(0.25)) {
    const at = random.int(0, length - 2_500)
    steps.push({ at, deed: { type: 'fill' } }, { at: at + random.int(800, 2_500), deed: { type: 'free' } })
  }
  return steps.sort((a, b) => a.at - b.at)
}
