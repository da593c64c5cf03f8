import nodeProcess from 'node:process'

/** The terminal, or what stands in for it. */
export interface Io {
  /** To standard output. */
  write(text: string | Uint8Array): void
  /** To standard error. */
  warn(text: string): void
  /** All of standard input. */
  readInput(): Promise<Buffer>
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
