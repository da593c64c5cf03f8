import type { Readable, Writable } from 'node:stream'

export interface ChildOptions {
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  /** A session of its own. */
  readonly detached: boolean
  /** `pipe` for each descriptor that is to be written or read here; a number for one of ours that is handed on. */
  readonly stdio: readonly ('ignore' | 'pipe' | number)[]
}

export interface ChildEnd {
  readonly code: number | undefined
  /** With `SIG`, as Node says it. */
  readonly signal: string | undefined
}

export interface Child {
  readonly pid: number
  input(fd: number): Writable
  output(fd: number): Readable
  /** Resolves when the process has been reaped; what it wrote may still be on its way. */
  readonly ended: Promise<ChildEnd>
  /** The event loop needn't wait for it. */
  unref(): void
}

/** Starts a process of ours. Throws when it can't be started. */
export type SpawnChild = (options: ChildOptions) => Promise<Child>

/** Runs a tool to its end with nothing on standard input. Gives its exit code (or undefined for a signal) and what it wrote. */
export async function runTool(
  spawn: SpawnChild,
  command: string,
  args: readonly string[],
  options: { readonly maxOutput?: number } = {},
): Promise<{ readonly code: number | undefined; readonly stdout: Buffer; readonly stderr: string }> {
  const { maxOutput = 1024 * 1024 } = options
  const child = await spawn({ command, args, env: { LC_ALL: 'C' }, cwd: '/', detached: false, stdio: ['ignore', 'pipe', 'pipe'] })
  const [end, stdout, stderr] = await Promise.all([child.ended, collect(child.output(1), maxOutput), collect(child.output(2), 16 * 1024)])
  return { code: end.code, stdout, stderr: stderr.toString().trim() }
}

/** The first `max` bytes; the rest is read and dropped, so that the writer isn't stopped. */
async function collect(stream: Readable, max: number): Promise<Buffer> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of stream) {
    const kept = (piece as Buffer).subarray(0, max - size)
    size += kept.length
    if (kept.length > 0) pieces.push(kept)
  }
  return Buffer.concat(pieces)
}
