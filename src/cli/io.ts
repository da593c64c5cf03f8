import nodeProcess from 'node:process'

/** The terminal, or what stands in for it. */
export interface Io {
  /** To standard output. */
  write(text: string | Uint8Array): void
  /** To standard error. */
  warn(text: string): void
  /** All of standard input. */
  readInput(): Promise<Buffer>
  /** One line of standard input, without its end, after a question on standard error; undefined when there is none. */
  ask(question: string, signal: AbortSignal): Promise<string | undefined>
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly userId: number
  readonly inputIsTerminal: boolean
  readonly outputIsTerminal: boolean
  /** Whether to use colour: a terminal, and nobody asked for none. */
  readonly colour: boolean
  /** Of the terminal; undefined in a pipe. */
  readonly columns: number | undefined
}

export function systemIo(): Io {
  const { stdout, stderr, env } = nodeProcess
  const outputIsTerminal = stdout.isTTY === true
  return {
    write: (text) => void stdout.write(text),
    warn: (text) => void stderr.write(text),
    readInput,
    ask,
    env,
    cwd: nodeProcess.cwd(),
    userId: nodeProcess.getuid?.() ?? -1,
    get inputIsTerminal() {
      return nodeProcess.stdin.isTTY === true
    },
    outputIsTerminal,
    colour: outputIsTerminal && !env.NO_COLOR && env.TERM !== 'dumb',
    columns: outputIsTerminal ? stdout.columns : undefined,
  }
}

async function readInput(): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of nodeProcess.stdin) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

async function ask(question: string, signal: AbortSignal): Promise<string | undefined> {
  const { createInterface } = await import('node:readline')
  const lines = createInterface({ input: nodeProcess.stdin, output: nodeProcess.stderr })
  try {
    return await new Promise((resolve, reject) => {
      // While a line is edited the terminal gives Ctrl-C to the editor alone.
      lines.on('SIGINT', () => nodeProcess.kill(nodeProcess.pid, 'SIGINT'))
      lines.on('close', () => resolve(undefined))
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      lines.question(question, resolve)
    })
  } finally {
    lines.close()
  }
}
