import type { Clock, Millis } from '../base/clock.ts'
import type { Probe } from '../generated/types.ts'
import { withDeadline } from './deadline.ts'
import { type ExecCommand, probeExec } from './exec.ts'
import { probeHttp } from './http-get.ts'
import { probeTcp } from './tcp-socket.ts'

/** What one attempt came to. The message says what went wrong, for people. */
export type ProbeResult = { readonly ok: true } | { readonly ok: false; readonly message: string }

/**
 * One attempt of a probe. Resolves within its timeout with what came of it; a timeout is a failure. Rejects only when the
 * signal fires.
 */
export async function probeOnce(
  probe: Probe,
  options: { readonly clock: Clock; readonly exec: ExecCommand; readonly signal: AbortSignal },
): Promise<ProbeResult> {
  const { clock, signal } = options
  signal.throwIfAborted()
  const timeout: Millis = probe.timeoutSeconds * 1000
  if (probe.exec !== undefined) return probeExec(probe.exec, options.exec, timeout, signal)
  const { httpGet, tcpSocket } = probe
  if (httpGet !== undefined) return withDeadline(clock, timeout, signal, (deadline) => probeHttp(httpGet, timeout, deadline))
  if (tcpSocket !== undefined) return withDeadline(clock, timeout, signal, (deadline) => probeTcp(tcpSocket, timeout, deadline))
  return { ok: false, message: 'the probe has no handler that this version knows' }
}
