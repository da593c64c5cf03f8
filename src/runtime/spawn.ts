import { type StdioOptions, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import type { Readable, Writable } from 'node:stream'
import type { Child, ChildEnd, ChildOptions } from './child.ts'
import { inheritedDescriptors } from './proc-stat.ts'

/** Starts a process of ours, by Node. */
export async function spawnChild(options: ChildOptions): Promise<Child> {
  const { command, args, env, cwd, detached, stdio } = options
  const child = withNothingLeaked(stdio, (shielded) => spawn(command, [...args], { env: { ...env }, cwd, detached, stdio: shielded }))
  const ended = new Promise<ChildEnd>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code: code ?? undefined, signal: signal ?? undefined }))
  })
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', reject)
  })
  const pid = child.pid
  if (pid === undefined) throw new Error(`${command} has no pid`)
  const stream = (fd: number): Readable | Writable => {
    const found = child.stdio[fd]
    if (found === null || found === undefined) throw new Error(`Descriptor ${fd} of ${command} is no pipe`)
    return found
  }
  return {
    pid,
    ended,
    input: (fd) => stream(fd) as Writable,
    output: (fd) => stream(fd) as Readable,
    unref: () => {
      child.unref()
      for (const each of child.stdio) if (each && 'unref' in each && typeof each.unref === 'function') each.unref()
    },
  }
}

/**
 * LevelDB opens its files without close-on-exec, and whoever started the server may have left some open: a program of any user
 * would inherit them, the store's log for writing among them. Node can neither close nor mark them, but it can put /dev/null in
 * their places in the child.
 */
function withNothingLeaked<T>(stdio: ChildOptions['stdio'], start: (shielded: StdioOptions) => T): T {
  const leaks = new Set(inheritedDescriptors())
  if (leaks.size === 0) return start([...stdio])
  const nothing = openSync('/dev/null', 'r+')
  try {
    const rest = Array.from({ length: Math.max(0, Math.max(...leaks) + 1 - stdio.length) }, (_, n) => n + stdio.length)
    return start([...stdio, ...rest.map((fd) => (leaks.has(fd) ? nothing : ('ignore' as const)))])
  } finally {
    closeSync(nothing)
  }
}
