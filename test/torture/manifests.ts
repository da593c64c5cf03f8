import { join, resolve } from 'node:path'
import type { Random } from './random.ts'

export const PROGRAM: string = resolve(import.meta.dirname, 'program.pl')
/** Stands in every Secret, so that it can be looked for where it must not be. */
export const SECRET_TEXT = 'pmk-torture-must-not-be-seen'

/** What a Process of the world is there for. */
export type Role =
  /** Lives and writes a little. Nobody touches it. */
  | 'bystander'
  /** Dies of its own accord and by hands from outside. No verb touches it. */
  | 'mortal'
  /** Writes much, with logs that rotate often. Is restarted and killed now and then. */
  | 'talker'
  /** All verbs. */
  | 'toy'

export interface Slot {
  readonly name: string
  readonly role: Role
  /** Forks to the background, so there is one of it: its pid file is one. */
  readonly forks?: boolean
  /** A toy that this one waits for. */
  readonly after?: string
}

export const SLOTS: readonly Slot[] = [
  { name: 'bystander-a', role: 'bystander' },
  { name: 'bystander-b', role: 'bystander' },
  { name: 'mortal-a', role: 'mortal' },
  { name: 'mortal-b', role: 'mortal' },
  { name: 'mortal-c', role: 'mortal' },
  { name: 'talker-a', role: 'talker' },
  { name: 'talker-b', role: 'talker' },
  ...'abcdefg'.split('').map((letter): Slot => ({ name: `toy-${letter}`, role: 'toy' })),
  { name: 'toy-h', role: 'toy', forks: true },
  { name: 'toy-i', role: 'toy', after: 'toy-a' },
  { name: 'toy-j', role: 'toy', after: 'toy-b' },
]

export const CONFIGS: readonly string[] = ['config-a', 'config-b']
export const SECRETS: readonly string[] = ['secret-a']

export interface Surroundings {
  readonly scratch: string
  /** A port of the harness that lets everybody in. */
  readonly port: number
}

/** The spec of a Process as data. Its arguments tell what the program will do, see program.pl. */
export type Spec = Readonly<Record<string, unknown>> & { readonly args: readonly string[]; readonly replicas: number }

export function randomSpec(random: Random, slot: Slot, gen: string, around: Surroundings): Spec {
  const base = {
    command: ['perl', PROGRAM],
    env: [{ name: 'TORTURE_DIR', value: around.scratch }],
    desiredState: 'Running',
    suspend: false,
    backoff: { initial: '100ms', factor: 1.5, max: '600ms', jitter: 0.1, resetAfter: '2s' },
    terminationGracePeriodSeconds: 1,
  }
  switch (slot.role) {
    case 'bystander':
      return { ...base, replicas: 2, args: [`gen=${gen}`, 'every=500'] }
    case 'mortal': {
      const life = random.pick([200, 600, 1500, 3000])
      const end = random.chance(0.6) ? `code:${random.pick([0, 1, 3, 42, 126, 137, 255])}` : `signal:${random.pick(DEADLY)}`
      return { ...base, replicas: 2, args: [`gen=${gen}`, `life=${life}`, `end=${end}`, 'every=100'] }
    }
    case 'talker':
      // Some 4 KiB each 100 ms: the live file is full after two seconds, and what is kept lasts for minutes without a server.
      return {
        ...base,
        replicas: 1,
        args: [`gen=${gen}`, 'every=100', `burst=${random.pick([30, 60])}`],
        logs: { maxSize: '64Ki', maxFiles: 100, compress: random.chance(0.5) },
      }
    case 'toy':
      return { ...base, ...toy(random, slot, gen, around) }
  }
}

/** Signals of which a program dies without a core file. */
export const DEADLY: readonly string[] = ['KILL', 'TERM', 'USR2', 'ALRM']

function toy(random: Random, slot: Slot, gen: string, around: Surroundings): Spec {
  const stopSignal = random.pick(['TERM', 'TERM', 'USR2', 'ALRM'])
  const isDaemon = slot.forks === true
  const daemonFile = join(around.scratch, `${slot.name}.pid`)
  const hooks = [{ exec: { command: ['true'] } }]
  const probe = (): object =>
    random.chance(0.5)
      ? { tcpSocket: { port: around.port }, periodSeconds: 1, timeoutSeconds: 5 }
      : { exec: { command: ['test', '-d', around.scratch] }, periodSeconds: 2, timeoutSeconds: 5 }
  const config = random.chance(0.3) ? random.pick(CONFIGS) : undefined
  const secret = random.chance(0.3) ? random.pick(SECRETS) : undefined
  return {
    replicas: isDaemon ? 1 : random.pick([0, 1, 1, 1, 2, 2, 3, 4]),
    args: toyArgs(random, gen, { stopSignal, ...(isDaemon && { daemonFile }) }),
    env: [
      { name: 'TORTURE_DIR', value: around.scratch },
      { name: 'ODD', value: random.pick(['', "it's", 'two\nlines', '$$x "y"', 'ä€']) },
      ...(config === undefined ? [] : [{ name: 'TORTURE_CONFIG', valueFrom: { configMapKeyRef: { name: config, key: 'a' } } }]),
      ...(secret === undefined ? [] : [{ name: 'TORTURE_SECRET', valueFrom: { secretKeyRef: { name: secret, key: 'password' } } }]),
    ],
    restartPolicy: random.pick(['Always', 'Always', 'Always', 'OnFailure', 'Never']),
    stopSignal,
    killScope: random.pick(['Tree', 'Group', 'Main']),
    ...(isDaemon && { forking: { pidFile: daemonFile } }),
    ...(random.chance(0.2) && { readinessProbe: probe() }),
    ...(random.chance(0.1) && { startupProbe: probe() }),
    ...(random.chance(0.1) && { livenessProbe: probe() }),
    ...(random.chance(0.2) && { lifecycle: { [random.pick(['preStart', 'postStart', 'preStop', 'postStop'])]: hooks } }),
    ...(slot.after !== undefined && {
      dependsOn: [{ name: slot.after, condition: random.pick(['Started', 'Ready']), onRestart: random.pick(['Ignore', 'Restart']) }],
    }),
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: random.int(1, 3) } },
    logs: { maxSize: '16Ki', maxFiles: 2, compress: random.chance(0.5) },
    reload: { signal: 'HUP' },
    actions: [{ name: 'ping', exec: { command: ['echo', 'pong'] } }],
  }
}

export function toyArgs(
  random: Random,
  gen: string,
  options: { readonly stopSignal: string; readonly daemonFile?: string },
): readonly string[] {
  const { stopSignal, daemonFile } = options
  const life = random.chance(0.3) ? random.pick([0, 300, 1000, 4000]) : undefined
  return [
    `gen=${gen}`,
    `every=${random.pick([100, 250, 500])}`,
    `burst=${random.pick([1, 1, 5])}`,
    ...(life === undefined
      ? []
      : [`life=${life}`, `end=${random.chance(0.7) ? `code:${random.pick([0, 0, 1, 7, 255])}` : `signal:${random.pick(DEADLY)}`}`]),
    ...(random.chance(0.4) ? [`on=${stopSignal}:${random.chance(0.3) ? 'ignore' : `code:${random.pick([0, 5])}`}`] : []),
    ...(daemonFile === undefined ? (random.chance(0.15) ? ['kids=1'] : []) : [`daemon=${daemonFile}`]),
  ]
}

/** What the arguments of a stored Process say. */
export function told(args: readonly string[] | undefined, name: string): string | undefined {
  return args?.find((arg) => arg.startsWith(`${name}=`))?.slice(name.length + 1)
}
