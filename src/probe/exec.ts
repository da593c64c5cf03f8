import type { Millis } from '../base/clock.ts'
import type { ExecAction } from '../generated/types.ts'
import type { ProbeResult } from './probe.ts'

/** How a command came to its end. */
export type ExecOutcome =
  | { readonly by: 'code'; readonly code: number; readonly output: string }
  | { readonly by: 'signal'; readonly signal: string; readonly output: string }
  | { readonly by: 'timeout'; readonly output: string }

/** Runs a command in the surroundings of the program that is probed. Throws when it can't be launched. */
export type ExecCommand = (command: readonly [string, ...string[]], timeout: Millis, signal: AbortSignal) => Promise<ExecOutcome>

/** Of a failing command's output, what goes into the message. */
const SHOWN = 200

export async function probeExec({ command }: ExecAction, exec: ExecCommand, timeout: Millis, signal: AbortSignal): Promise<ProbeResult> {
  let outcome: ExecOutcome
  try {
    outcome = await exec(command, timeout, signal)
  } catch (err) {
    signal.throwIfAborted()
    return { ok: false, message: err instanceof Error ? err.message : String(err) }
  }
  const said = lastLine(outcome.output)
  switch (outcome.by) {
    case 'code':
      return outcome.code === 0 ? { ok: true } : { ok: false, message: `${command[0]} exited with code ${outcome.code}${said}` }
    case 'signal':
      return { ok: false, message: `${command[0]} was ended by ${outcome.signal}${said}` }
    case 'timeout':
      return { ok: false, message: `${command[0]} did not end within ${timeout / 1000} s` }
  }
}

/** The last line of an output, to be appended to a message; nothing when there is none. */
export function lastLine(output: string): string {
  const line = output.trimEnd().split('\n').at(-1)?.trim() ?? ''
  return line === '' ? '' : `: ${line.length > SHOWN ? `${line.slice(0, SHOWN)}…` : line}`
}
