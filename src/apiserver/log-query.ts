import type { LogQuery } from '../api/node-gateway.ts'
import { apiError } from '../api/status.ts'
import { type Clock, epochOf, timestampOf } from '../base/clock.ts'
import { booleanParameter, nonNegativeParameter, type Query, textParameter } from './query.ts'

/** The parameters of a Pod's log, as kubectl sends them. */
export function logQuery(query: Query, clock: Clock): LogQuery {
  const since = sinceOf(query, clock)
  const tailLines = nonNegativeParameter(query, 'tailLines')
  const limitBytes = nonNegativeParameter(query, 'limitBytes')
  const cursor = textParameter(query, 'cursor')
  return {
    follow: booleanParameter(query, 'follow') ?? false,
    previous: booleanParameter(query, 'previous') ?? false,
    timestamps: booleanParameter(query, 'timestamps') ?? false,
    ...(since === undefined ? {} : { since }),
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
    ...(cursor === undefined ? {} : { cursor }),
  }
}

function sinceOf(query: Query, clock: Clock): string | undefined {
  const seconds = nonNegativeParameter(query, 'sinceSeconds')
  const time = textParameter(query, 'sinceTime')
  if (seconds !== undefined && time !== undefined) throw apiError('BadRequest', 'at most one of sinceTime or sinceSeconds may be specified')
  if (seconds !== undefined) return timestampOf(epochOf(clock.now()) - seconds * 1_000)
  if (time === undefined) return undefined
  const epoch = epochOf(time)
  if (Number.isNaN(epoch)) throw apiError('BadRequest', `query parameter sinceTime: must be an RFC 3339 time, got ${JSON.stringify(time)}`)
  return timestampOf(epoch)
}
