import type { IncomingHttpHeaders } from 'node:http'
import { apiError } from '../api/status.ts'

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]'])

/**
 * Refuses what a web page made a browser send to a port of this machine: requests with an Origin, and those to a name
 * that an outsider let point here. Throws ApiError(Forbidden).
 */
export function refuseWebPages({ host, origin }: IncomingHttpHeaders): void {
  if (origin !== undefined) throw apiError('Forbidden', 'requests of web pages are not served')
  const name = (host ?? '').replace(/:[0-9]+$/, '').toLowerCase()
  if (!LOOPBACK.has(name)) throw apiError('Forbidden', `this server is not called ${JSON.stringify(name)}`)
}
