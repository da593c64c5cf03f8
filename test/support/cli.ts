import { spawn } from 'node:child_process'
import { systemClock } from '../../src/base/clock.ts'
import { runCli } from '../../src/cli/cli.ts'
import type { Io } from '../../src/cli/io.ts'
import { sourceProgram } from './source-program.ts'

export interface CliAnswer {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface CliOptions {
  readonly home?: string
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly signal?: AbortSignal
  /** Whether somebody types the input. */
  readonly terminal?: boolean
  /** Told of each piece of standard output. */
  readonly onOutput?: (text: string) => void
}

/** Runs one command line in this process: everything but main.ts, against a real server. */
export async function runPmk(argv: readonly string[], options: CliOptions = {}): Promise<CliAnswer> {
  const { home, input = '', env = {}, cwd = process.cwd(), signal = new AbortController().signal, terminal = false, onOutput } = options
  const lines = input === '' ? [] : input.trimEnd().split('\n')
  let stdout = ''
  let stderr = ''
  const io: Io = {
    write: (text) => {
      stdout += text.toString()
      onOutput?.(text.toString())
    },
    warn: (text) => {
      stderr += text
    },
    readInput: async () => Buffer.from(input),
    ask: async (question) => {
      stderr += question
      return lines.shift()
    },
    env: { ...env, ...(home !== undefined && { PMK_HOME: home }) },
    cwd,
    userId: 1000,
    inputIsTerminal: terminal,
    outputIsTerminal: false,
    colour: false,
    columns: undefined,
  }
  const code = await runCli(argv, { io, clock: systemClock, signal })
  return { code, stdout, stderr }
}

/** Starts the real program as a process of its own. */
export function spawnPmk(
  argv: readonly string[],
  options: { readonly home?: string; readonly env?: Readonly<Record<string, string>> } = {},
): ReturnType<typeof spawn> {
  const env = {
    PATH: process.env.PATH,
    HOME: '/nonexistent',
    ...options.env,
    ...(options.home !== undefined && { PMK_HOME: options.home }),
  }
  return spawn(process.execPath, [sourceProgram('src/main.ts'), ...argv], { env, stdio: ['pipe', 'pipe', 'pipe'] })
}
