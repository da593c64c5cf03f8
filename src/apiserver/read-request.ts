import type { FastifyRequest, RawRequestDefaultExpression as RawRequest } from 'fastify'
import { apiError } from '../api/status.ts'
import { queryOf } from './query.ts'
import type { Wish } from './request-attributes.ts'
import { NO_SUCH_PATH } from './status-errors.ts'

/** `https://HOST` in front of a path, as proxies are asked: HTTP/1.1 has servers take it, too. */
const ABSOLUTE = /^https?:\/\/[^/?#]*/i

/**
 * The path and query that a request is about. Some clients ask for discovery with doubled and trailing slashes. That is overlooked
 * only where it can't change what is meant: an object without a name must not become all objects.
 */
export function targetOf({ method, url = '/' }: RawRequest, fixedPaths: ReadonlySet<string>): string {
  const target = url.startsWith('/') ? url : url.replace(ABSOLUTE, '')
  const [path = '', ...query] = target.split('?')
  if ((method !== 'GET' && method !== 'HEAD') || !/\/(\/|$)/.test(path)) return target
  const tidy = path.replaceAll(/\/+/g, '/').replace(/(.)\/$/, '$1')
  return fixedPaths.has(tidy) ? [tidy, ...query].join('?') : target
}

/** What a request wants, as the router has read it. */
export function wishOf({ method, raw: { url = '/' }, params }: FastifyRequest): Wish {
  const path = url.split('?', 1)[0] ?? url
  return { method, path, query: queryOf(url), parameters: params as Readonly<Record<string, string>> }
}

/** Throws ApiError(NotFound): no name holds a slash, however it was written, so none leads out of its collection. */
export function checkParameters({ parameters }: Wish): void {
  for (const value of Object.values(parameters)) {
    if (value === '' || value === '.' || value === '..' || /[/\\\0]/.test(value)) throw apiError('NotFound', NO_SUCH_PATH, {})
  }
}
