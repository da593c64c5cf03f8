import { spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import type { Child, ChildEnd, ChildOptions } from './child.ts'

/** Starts a process of ours, by Node. */
export async function spawnChild(options: ChildOptions): Promise<Child> {
  const { command, args, env, cwd, detached, stdio } = options
  const child = spawn(command, [...args], { env: { ...env }, cwd, detached, stdio: [...stdio] })
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
