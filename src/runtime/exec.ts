import { randomUUID } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import type { Child, SpawnChild } from './child.ts'
import type { HostTools } from './host.ts'
import { launchText } from './launch-chain.ts'
import type { View } from './mounts.ts'
import { readStat } from './proc-stat.ts'
import { type ProcessTrees, pause, sendSignal, type TreeRoot } from './process-tree.ts'
import type { ExecConfig, ExecResult } from './runtime.ts'
import type { Turns } from './turns.ts'

const DEFAULT_OUTPUT = 64 * 1024
/** A process left behind may hold the output open; nobody waits for it longer. */
const DRAIN = 200

export interface ExecContext {
  readonly spawn: SpawnChild
  readonly host: HostTools
  readonly trees: ProcessTrees
  readonly clock: Clock
  /** Absolute path of the program. */
  readonly program: string
  readonly view: View | undefined
  /** What it waits in until it may start; undefined for who can't wait. */
  readonly turns: Turns | undefined
}

/**
 * Runs one command in a session and a tree of its own. At the timeout or the signal the whole tree is killed; what it left
 * behind is killed when it ends by itself. Rejects with the signal's reason when that ended it.
 */
export async function runExec(config: ExecConfig, context: ExecContext, signal: AbortSignal): Promise<ExecResult> {
  const { spawn, host, trees, clock, program, view, turns } = context
  signal.throwIfAborted()
  const token = randomUUID().slice(0, 8)
  const root: TreeRoot = {
    instance: config.instance,
    marker: `${config.instance}.exec-${token}`,
    group: `exec-${token}`,
    leader: undefined,
    shim: undefined,
  }
  let join: string | undefined
  const launch = async (): Promise<Child> => {
    signal.throwIfAborted()
    join = trees.admit(root)
    const own: ExecConfig = { ...config, env: { ...config.env, PMK_RUN: root.marker } }
    const prologue = ['exec 2>&1', ...(join === undefined ? [] : [join])].join('\n')
    const text = launchText(own, { host, program, secondInput: '<&3 3<&-', setsid: false, prologue, mounts: view?.words })
    const child = await spawn({
      command: host.shell,
      args: [],
      env: {},
      cwd: '/',
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore', ...(text.second === undefined ? [] : (['pipe', view?.namespace ?? 'ignore'] as const))],
    })
    feed(child, 0, text.main)
    if (text.second !== undefined) feed(child, 3, text.second)
    return child
  }
  try {
    const child = await (turns === undefined ? launch() : turns.take(launch))
    const leader = readStat(child.pid)
    return await followed(config, child, { ...root, leader }, context, signal)
  } finally {
    trees.forget(root)
  }

  async function followed(
    config: ExecConfig,
    child: Child,
    root: TreeRoot,
    context: ExecContext,
    signal: AbortSignal,
  ): Promise<ExecResult> {
    const output = new TailBuffer(config.maxOutput ?? DEFAULT_OUTPUT)
    const stream = child.output(1)
    stream.on('data', (piece: Buffer) => {
      output.add(piece)
      config.onOutput?.(piece)
    })
    const closed = new Promise<void>((resolve) => stream.once('close', resolve))
    let stop = (): void => {}
    const stopped = new Promise<'timeout' | 'abort'>((resolve) => {
      const cancel = clock.schedule(config.timeout, () => resolve('timeout'))
      const onAbort = (): void => resolve('abort')
      signal.addEventListener('abort', onAbort, { once: true })
      stop = () => {
        cancel()
        signal.removeEventListener('abort', onAbort)
      }
    })
    try {
      const end = await Promise.race([child.ended, stopped])
      if (typeof end === 'string') {
        await context.trees.kill(root)
        await child.ended
      } else {
        // Without a cgroup all processes would have to be looked at: only when somebody is left. Who has got the number of a
        // group that is empty now, nobody knows.
        if (join !== undefined) await context.trees.kill({ ...root, leader: undefined })
        else if (sendSignal(-child.pid, 0)) await context.trees.kill(root)
      }
      await Promise.race([closed, pause(clock, DRAIN)])
      if (end === 'abort') throw signal.reason
      if (end === 'timeout') return { by: 'timeout', output: output.text() }
      if (end.signal !== undefined) return { by: 'signal', signal: end.signal.replace(/^SIG/, ''), output: output.text() }
      return { by: 'code', code: end.code ?? 0, output: output.text() }
    } finally {
      stop()
      stream.destroy()
    }
  }
}

/** The last bytes of what was added. */
class TailBuffer {
  readonly #max: number
  #pieces: Buffer[] = []
  #size = 0

  constructor(max: number) {
    this.#max = max
  }

  add(piece: Buffer): void {
    this.#pieces.push(piece)
    this.#size += piece.length
    for (let first = this.#pieces[0]; first !== undefined && this.#size - first.length >= this.#max; first = this.#pieces[0]) {
      this.#pieces.shift()
      this.#size -= first.length
    }
  }

  text(): string {
    const all = Buffer.concat(this.#pieces)
    return all.subarray(Math.max(0, all.length - this.#max)).toString()
  }
}

function feed(child: Child, fd: number, text: Buffer): void {
  const input = child.input(fd)
  // A shell that ended early has closed its end; its exit code says so.
  input.on('error', () => {})
  input.end(text)
}
