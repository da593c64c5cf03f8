import type { IncomingHttpHeaders } from 'node:http'
import { apiError } from '../api/status.ts'

/** Where a browser says that a request comes from: nobody but its user, or a page of the very same origin, of which there is none. */
const OWN_SITES: readonly (string | undefined)[] = [undefined, 'none', 'same-origin']

/** Whether a web page made a browser send it. Pictures and scripts are fetched without an Origin, but browsers of today tell all the same. */
export function isOfWebPage({ origin, 'sec-fetch-site': site }: IncomingHttpHeaders): boolean {
  return origin !== undefined || !OWN_SITES.includes(site?.toString())
}

/**
 * Refuses what a web page made a browser send to a port of this machine: requests with an Origin, and those to a name
 * that isn't one of the server's (`names`: lower case, addresses without brackets), which an outsider may let point here.
 * Gives the refusal, ApiError(Forbidden), or undefined.
 *
 * With a token of its own such a request is served, as Headlamp passes them on: no browser adds one by itself, and a page of
 * another origin may name that header only after a question that is refused here. A WebSocket's subprotocol is the exception, but
 * what it carries is the token itself. Nothing but the token may then say who asks: see `Credentials`.
 */
export function refusalOfWebPage(headers: IncomingHttpHeaders, names: ReadonlySet<string>): Error | undefined {
  const { host, authorization } = headers
  if (isOfWebPage(headers) && !/^bearer ./i.test(authorization ?? '')) return apiError('Forbidden', 'requests of web pages are not served')
  const name = (host ?? '')
    .replace(/:[0-9]+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase()
  return names.has(name) ? undefined : apiError('Forbidden', `this server is not called ${JSON.stringify(name)}`)
}
