import { type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { Millis } from '../base/clock.ts'
import type { HttpGetAction } from '../generated/types.ts'
import type { Deadline } from './deadline.ts'
import type { ProbeResult } from './probe.ts'
import { describe } from './tcp-socket.ts'

/** Of a body, what expectBody is looked for in. */
const BODY_LIMIT = 64 * 1024

/** One GET request on a connection of its own. Redirects are not followed, certificates not verified; the deadline covers all of it. */
export async function probeHttp(action: HttpGetAction, timeout: Millis, deadline: Deadline): Promise<ProbeResult> {
  try {
    return await get(action, deadline.signal)
  } catch (err) {
    if (deadline.isOver()) return { ok: false, message: `${urlOf(action)} did not answer within ${timeout / 1000} s` }
    deadline.signal.throwIfAborted()
    return { ok: false, message: `${urlOf(action)}: ${describe(err)}` }
  }
}

async function get(action: HttpGetAction, signal: AbortSignal): Promise<ProbeResult> {
  const response = await responseTo(action, signal)
  try {
    const status = response.statusCode ?? 0
    if (!isExpected(status, action.expectStatus)) {
      return { ok: false, message: `${urlOf(action)} answered ${status}, expected ${action.expectStatus}` }
    }
    if (action.expectBody === undefined || action.expectBody === '') return { ok: true }
    const body = await headOf(response)
    return body.includes(action.expectBody)
      ? { ok: true }
      : { ok: false, message: `${urlOf(action)} answered ${status} without the expected text` }
  } finally {
    response.destroy()
  }
}

function responseTo(action: HttpGetAction, signal: AbortSignal): Promise<IncomingMessage> {
  const { host, port, path, scheme, httpHeaders = [] } = action
  return new Promise((resolve, reject) => {
    const headers: Record<string, string | string[]> = { 'User-Agent': 'pmk-probe', Accept: '*/*', Connection: 'close' }
    for (const { name, value } of httpHeaders) {
      // A name given twice is sent twice, and what is given wins over our own.
      const own = Object.keys(headers).find((known) => known.toLowerCase() === name.toLowerCase())
      const before = own === undefined || own in OWN ? [] : headers[own]
      if (own !== undefined) delete headers[own]
      headers[name] = before === undefined || before.length === 0 ? value : [...(Array.isArray(before) ? before : [before]), value]
    }
    const options = { host, port, path: path.startsWith('/') ? path : `/${path}`, headers, signal, agent: false as const }
    const request = scheme === 'HTTPS' ? requestHttps({ ...options, rejectUnauthorized: false }) : requestHttp(options)
    request.once('response', resolve)
    request.on('error', reject)
    request.end()
  })
}

const OWN: Readonly<Record<string, true>> = { 'User-Agent': true, Accept: true, Connection: true }

async function headOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response) {
    const bytes = chunk as Buffer
    chunks.push(bytes)
    size += bytes.length
    if (size >= BODY_LIMIT) break
  }
  return Buffer.concat(chunks).subarray(0, BODY_LIMIT).toString()
}

/** Whether a status is among numbers and ranges such as `200-299,304`. */
export function isExpected(status: number, expected: string): boolean {
  return expected.split(',').some((part) => {
    const [low, high] = part.trim().split('-').map(Number)
    return low !== undefined && status >= low && status <= (high ?? low)
  })
}

function urlOf({ scheme, host, port, path }: HttpGetAction): string {
  return `${scheme.toLowerCase()}://${host.includes(':') ? `[${host}]` : host}:${port}${path.startsWith('/') ? path : `/${path}`}`
}
