import type { IncomingHttpHeaders } from 'node:http'
import { apiError } from '../api/status.ts'

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])

/**
 * Refuses what a web page made a browser send to a port of this machine: requests with an Origin, and those to a name
 * that an outsider let point here. Gives the refusal, ApiError(Forbidden), or undefined.
 */
export function refusalOfWebPage({ host, origin }: IncomingHttpHeaders): Error | undefined {
  if (origin !== undefined) return apiError('Forbidden', 'requests of web pages are not served')
  const name = (host ?? '').replace(/:[0-9]+$/, '').toLowerCase()
  return LOOPBACK.has(name) ? undefined : apiError('Forbidden', `this server is not called ${JSON.stringify(name)}`)
}
