import { readdirSync } from 'node:fs'
import type { ProcessStat } from './proc-stat.ts'
import type { Usage } from './runtime.ts'

/** USER_HZ: the kernel shows times to programs in hundredths of a second on every architecture of Linux in use. */
const TICKS_PER_SECOND = 100
const PAGE_SIZE = 4096

/** What these processes use together. */
export function usageOf(members: readonly ProcessStat[]): Usage {
  const sum = (of: (stat: ProcessStat) => number): number => members.reduce((total, stat) => total + of(stat), 0)
  const fds = members.map((stat) => openFiles(stat.pid))
  return {
    processes: members.length,
    threads: sum((stat) => stat.threads),
    cpuSeconds: sum((stat) => stat.cpuTicks) / TICKS_PER_SECOND,
    memory: sum((stat) => stat.residentPages) * PAGE_SIZE,
    fds: fds.includes(undefined) ? undefined : fds.reduce<number>((total, count) => total + (count ?? 0), 0),
  }
}

function openFiles(pid: number): number | undefined {
  try {
    return readdirSync(`/proc/${pid}/fd`).length
  } catch {
    // Gone, or another user's.
    return undefined
  }
}
