import { apiError } from '../api/status.ts'
import type { ListQuery, WatchQuery } from '../registry/registry.ts'
import { booleanParameter, integerParameter, invalidOptions, nonNegativeParameter, type Query, textParameter } from './query.ts'

/** Which objects a list or watch is about: those of a namespace, or the one of a name. */
export interface Scope {
  readonly namespace?: string
  readonly name?: string
}

export function isWatch(query: Query): boolean {
  return booleanParameter(query, 'watch') ?? false
}

export function listQuery(query: Query, scope: Scope): ListQuery {
  if (query.has('sendInitialEvents')) {
    throw invalidOptions('ListOptions', {
      field: 'sendInitialEvents',
      reason: 'FieldValueForbidden',
      message: 'Forbidden: sendInitialEvents is forbidden for list',
    })
  }
  const limit = nonNegativeParameter(query, 'limit')
  return {
    ...selection(query, scope),
    ...optional('continue', textParameter(query, 'continue')),
    // A limit of 0 is none.
    ...optional('limit', limit === 0 ? undefined : limit),
  }
}

export function watchQuery(query: Query, scope: Scope): WatchQuery {
  return {
    ...selection(query, scope),
    ...optional('sendInitialEvents', booleanParameter(query, 'sendInitialEvents')),
    ...optional('allowWatchBookmarks', booleanParameter(query, 'allowWatchBookmarks')),
  }
}

/** Seconds after which the client wants its watch to end; undefined leaves that to the server. */
export function timeoutSeconds(query: Query): number | undefined {
  const seconds = integerParameter(query, 'timeoutSeconds')
  return seconds === undefined || seconds <= 0 ? undefined : seconds
}

function selection(query: Query, { namespace, name }: Scope): Omit<ListQuery, 'limit' | 'continue'> {
  const resourceVersion = textParameter(query, 'resourceVersion')
  if (resourceVersion !== undefined && !/^(0|[1-9][0-9]{0,15})$/.test(resourceVersion)) {
    throw apiError('BadRequest', `query parameter resourceVersion: must be a number, got ${JSON.stringify(resourceVersion)}`)
  }
  const fields = textParameter(query, 'fieldSelector')
  // Whatever a path says is a name, and nothing of it a selector.
  const ofName = name === undefined ? undefined : `metadata.name=${name.replaceAll(/[\\,=]/g, '\\$&')}`
  return {
    ...optional('namespace', namespace),
    ...optional('labelSelector', textParameter(query, 'labelSelector')),
    ...optional('fieldSelector', ofName === undefined || fields === undefined ? (ofName ?? fields) : `${ofName},${fields}`),
    ...optional('resourceVersion', resourceVersion),
    ...optional('resourceVersionMatch', textParameter(query, 'resourceVersionMatch')),
  }
}

/** The entry only when there is a value: an absent field and one that is undefined aren't the same to its readers. */
function optional<K extends string, V>(key: K, value: V | undefined): { readonly [key in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [key in K]?: V }
}
