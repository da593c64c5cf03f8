import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import nodeProcess from 'node:process'
import { until } from './measure.ts'

/** What /proc says about processes. One that has ended counts as nothing. */
function read<T>(path: string, absent: T, parse: (text: string) => T): T {
  try {
    return parse(readFileSync(path, 'latin1'))
  } catch (err) {
    const { code } = err as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ESRCH') return absent
    throw err
  }
}

/** The memory of these processes in KiB, with shared pages counted by their share. */
export function pssOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + read(`/proc/${pid}/smaps_rollup`, 0, (text) => Number(/^Pss: +(\d+)/m.exec(text)?.[1] ?? 0)), 0)
}

/** Milliseconds of processor time that these processes have used, all threads. */
export function cpuOf(pids: readonly number[]): number {
  let nanos = 0
  for (const pid of pids) {
    for (const thread of threadsOf(pid)) nanos += read(`/proc/${pid}/task/${thread}/schedstat`, 0, (text) => Number(text.split(' ')[0]))
  }
  return nanos / 1e6
}

/** Milliseconds of processor time of a process and of all children that it has waited for, to 10 ms. */
export function ticksOf(pid: number): number {
  return read(`/proc/${pid}/stat`, 0, (text) => {
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * 10, 0)
  })
}

/** The same without what its children used. */
export function ownTicksOf(pid: number): number {
  return read(`/proc/${pid}/stat`, 0, (text) => {
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return fields.slice(11, 13).reduce((sum, ticks) => sum + Number(ticks) * 10, 0)
  })
}

function threadsOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
  }
}

/** This process and all that descend from it. */
export function treeOf(root: number): readonly number[] {
  const children = new Map<number, number[]>()
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry)
    if (!Number.isInteger(pid)) continue
    // The name, in parentheses, may hold anything.
    const parent = read(`/proc/${pid}/stat`, 0, (text) => Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]))
    children.set(parent, [...(children.get(parent) ?? []), pid])
  }
  const found: number[] = [root]
  for (const pid of found) found.push(...(children.get(pid) ?? []))
  return found
}

export function isAlive(pid: number): boolean {
  return read(`/proc/${pid}/stat`, false, (text) => !text.slice(text.lastIndexOf(')')).startsWith(') Z'))
}

/** Sends SIGKILL to a process that may be gone already. */
export function kill(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    nodeProcess.kill(pid, signal)
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'ESRCH') throw err
  }
}

export interface Ran {
  readonly code: number
  readonly output: string
}

/** Runs a command to its end, with nothing but its output in memory. */
export function command(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const [file = '', ...args] = argv
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env: { ...nodeProcess.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    const take = (chunk: Buffer): void => {
      output += chunk.toString('latin1')
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.once('error', reject)
    child.once('close', (code) => resolve({ code: code ?? 128, output }))
  })
}

/** A program in the background whose output goes nowhere. */
export function background(argv: readonly string[], options: { readonly cwd?: string } = {}): ChildProcess & { readonly pid: number } {
  const [file = '', ...args] = argv
  const child = spawn(file, args, { stdio: 'ignore', ...options })
  child.on('error', () => {})
  if (child.pid === undefined) throw new Error(`${file} does not start`)
  return child as ChildProcess & { readonly pid: number }
}

/** Ends a process and everything below it, and waits until all are gone. */
export async function killTree(root: number): Promise<void> {
  // From the top: who restarts others must not see them die.
  const pids = treeOf(root)
  for (const pid of pids) kill(pid, 'SIGSTOP')
  for (const pid of treeOf(root)) kill(pid)
  for (const pid of pids) kill(pid)
  await until(10_000, 'end of the processes', () => !pids.some(isAlive))
}
