import { connect } from 'node:net'
import type { Millis } from '../base/clock.ts'
import type { TcpSocketAction } from '../generated/types.ts'
import type { Deadline } from './deadline.ts'
import type { ProbeResult } from './probe.ts'

/** Success is to be let in; nothing is sent. */
export function probeTcp({ host, port }: TcpSocketAction, timeout: Millis, deadline: Deadline): Promise<ProbeResult> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal: deadline.signal })
    socket.once('connect', () => {
      socket.destroy()
      resolve({ ok: true })
    })
    socket.on('error', (err) => {
      socket.destroy()
      if (deadline.isOver()) resolve({ ok: false, message: `no connection to ${host}:${port} within ${timeout / 1000} s` })
      else if (deadline.signal.aborted) reject(deadline.signal.reason)
      else resolve({ ok: false, message: `no connection to ${host}:${port}: ${describe(err)}` })
    })
  })
}

/** Node gathers the failures for several addresses of one name in one error without a message. */
export function describe(err: unknown): string {
  if (err instanceof AggregateError) return err.errors.map(describe).join('; ')
  const code = (err as NodeJS.ErrnoException).code
  if (code === 'ECONNREFUSED') return 'connection refused'
  return err instanceof Error && err.message !== '' ? err.message : (code ?? String(err))
}
