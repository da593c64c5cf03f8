import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { constants } from 'node:os'
import nodeProcess from 'node:process'
import { onAbort } from './abort.ts'

/** Tools of our own, such as an editor, git or the server in the background: never the programs that pmk supervises. */
export interface CommandOptions {
  readonly cwd?: string
  /** The whole environment; absent: ours. */
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly signal?: AbortSignal
}

export interface CommandResult {
  /** 128 + number for a signal. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Bytes of output kept of each stream; a tool that says more is cut, not failed. */
const MAX_OUTPUT = 4 * 1024 * 1024

/** Runs a command to its end. Rejects only when it can't be started or the signal fires. */
export function runCommand(
  command: readonly [string, ...string[]],
  options: CommandOptions & { readonly input?: string } = {},
): Promise<CommandResult> {
  const [file, ...args] = command
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { ...options, stdio: 'pipe' })
    const stdout = collect(child.stdout)
    const stderr = collect(child.stderr)
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code: code ?? (signal === null ? 1 : 128), stdout: stdout(), stderr: stderr() }))
    // A tool that doesn't read its input breaks the pipe; its exit code tells what matters.
    child.stdin.on('error', () => {})
    child.stdin.end(options.input ?? '')
  })
}

/** What a tool said, byte for byte. */
export interface BoundedResult {
  /** 128 + number for a signal. */
  readonly code: number
  readonly stdout: Buffer
  readonly stderr: string
  /** More than `maxOutput` came: it was killed. */
  readonly isTooLong: boolean
}

/**
 * Runs a command in a process group of its own, which is killed whole when the signal fires or it says more than `maxOutput`
 * bytes. Rejects with the signal's reason, and when it can't be started.
 */
export function runBounded(
  command: readonly [string, ...string[]],
  options: Omit<CommandOptions, 'signal'> & { readonly input?: string; readonly maxOutput: number; readonly signal: AbortSignal },
): Promise<BoundedResult> {
  const [file, ...args] = command
  const { input = '', maxOutput, signal, ...rest } = options
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason)
      return
    }
    const child = spawn(file, args, { ...rest, stdio: 'pipe', detached: true })
    const kill = (): void => {
      try {
        if (child.pid !== undefined) nodeProcess.kill(-child.pid, 'SIGKILL')
      } catch {
        // It has ended by itself.
      }
      // What left the group may keep them open for ever.
      child.stdout.destroy()
      child.stderr.destroy()
    }
    const chunks: Buffer[] = []
    let size = 0
    child.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= maxOutput) chunks.push(chunk)
      else kill()
    })
    const stderr = collect(child.stderr)
    const release = onAbort(signal, kill)
    child.on('error', (err) => {
      release()
      reject(err)
    })
    child.on('close', (code, name) => {
      release()
      if (signal.aborted) reject(signal.reason)
      else {
        const number = name === null ? 0 : constants.signals[name]
        resolve({ code: code ?? 128 + number, stdout: Buffer.concat(chunks), stderr: stderr(), isTooLong: size > maxOutput })
      }
    })
    child.stdin.on('error', () => {})
    child.stdin.end(input)
  })
}

/** Runs a command on our own terminal, such as an editor. */
export function runInteractive(command: readonly [string, ...string[]], options: CommandOptions = {}): Promise<number> {
  const [file, ...args] = command
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { ...options, stdio: 'inherit' })
    child.on('error', reject)
    child.on('close', (code) => resolve(code ?? 128))
  })
}

const PASSED_ON = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const

/**
 * Runs a command in our place: on our standard streams, with the signals that we get. It has a session of its own, so that a
 * terminal's Ctrl-C reaches it once. Gives its exit code, 128 + number for a signal; 127 when it can't be started.
 */
export function runInPlace(command: readonly [string, ...string[]]): Promise<number> {
  const [file, ...args] = command
  return new Promise((resolve) => {
    const child = spawn(file, args, { stdio: 'inherit', detached: true })
    const passOn = (signal: NodeJS.Signals): void => void child.kill(signal)
    for (const signal of PASSED_ON) nodeProcess.on(signal, passOn)
    const end = (code: number): void => {
      for (const signal of PASSED_ON) nodeProcess.off(signal, passOn)
      resolve(code)
    }
    child.on('error', () => end(127))
    child.on('exit', (code, signal) => end(code ?? 128 + (signal === null ? 0 : constants.signals[signal])))
  })
}

/** A program that goes on when we end. */
export interface Detached {
  readonly pid: number
  /** Its exit code, should it end while we still look; 128 for a signal. */
  readonly ended: Promise<number>
}

/** Starts a program in a session of its own, with nothing of our terminal; its output is appended to `outputFile`. */
export function startDetached(
  command: readonly [string, ...string[]],
  options: CommandOptions & { readonly outputFile: string },
): Promise<Detached> {
  const [file, ...args] = command
  const { outputFile, ...rest } = options
  const output = openSync(outputFile, 'a', 0o600)
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { ...rest, detached: true, stdio: ['ignore', output, output] })
    closeSync(output)
    const ended = new Promise<number>((end) => child.on('exit', (code) => end(code ?? 128)))
    child.on('error', reject)
    child.on('spawn', () => {
      child.unref()
      resolve({ pid: child.pid ?? 0, ended })
    })
  })
}

function collect(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = []
  let size = 0
  stream.on('data', (chunk: Buffer) => {
    if (size < MAX_OUTPUT) chunks.push(chunk)
    size += chunk.length
  })
  return () => Buffer.concat(chunks).toString()
}
