import type { Cgroup } from './cgroup.ts'
import type { Controller, Controllers } from './cgroup-controllers.ts'
import type { Limits } from './runtime.ts'

const PERIOD = 100_000
/** The least that the kernel takes, in microseconds of one period. */
const LEAST_QUOTA = 1_000
const PAGE_SIZE = 4096

interface Limit {
  readonly controller: Controller
  readonly file: string
  /** What the kernel shows when there is none. */
  readonly none: string
  /** What to write; undefined: not limited. */
  readonly value: (limits: Limits) => string | undefined
}

const LIMITS: readonly Limit[] = [
  {
    controller: 'cpu',
    file: 'cpu.max',
    none: `max ${PERIOD}`,
    value: ({ cpu }) => (cpu === undefined ? undefined : `${Math.max(LEAST_QUOTA, Math.round(cpu * PERIOD))} ${PERIOD}`),
  },
  {
    controller: 'memory',
    file: 'memory.max',
    none: 'max',
    value: ({ memory }) => (memory === undefined ? undefined : String(Math.floor(memory / PAGE_SIZE) * PAGE_SIZE)),
  },
  {
    controller: 'pids',
    file: 'pids.max',
    none: 'max',
    // The shim is one of them, and none of the program's.
    value: ({ pids }) => (pids === undefined ? undefined : String(Math.round(pids) + 1)),
  },
]

/** Has the group bounded by these limits and no others. What the host can't enforce is left out. Reads before it writes. */
export async function applyLimits(group: Cgroup, limits: Limits, controllers: Controllers): Promise<void> {
  for (const { controller, file, none, value } of LIMITS) {
    const wanted = value(limits)
    if (wanted !== undefined ? !(await controllers.enable(controller)) : !controllers.has(controller)) continue
    const now = group.read(file)
    if (now !== undefined && now !== (wanted ?? none)) await group.write(file, wanted ?? none)
  }
}
