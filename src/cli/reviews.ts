import type { ResourceDefinition } from '../api/scheme.ts'
import { CliError } from './cli-error.ts'
import type { FlagValues } from './flags.ts'
import type { Context } from './verb.ts'

export const asFlags = {
  as: { type: 'string', placeholder: 'USER', help: 'Ask as this user, which takes the right to impersonate them' },
  'as-group': { type: 'strings', placeholder: 'GROUP', help: 'A group to ask as; may be given again' },
} as const

/** Puts a question to the server, and gives it back with its answer. */
export async function askReview(
  { connect, signal }: Context,
  { group, version, apiVersion, kind, plural }: ResourceDefinition,
  spec: object | undefined,
  { as, 'as-group': groups }: FlagValues<typeof asFlags>,
): Promise<unknown> {
  if (groups.length > 0 && as === undefined) throw new CliError('--as-group needs --as', { usage: true })
  const { client } = await connect()
  const response = await client.request({
    method: 'POST',
    path: `/apis/${group}/${version}/${plural}`,
    headers: {
      'content-type': 'application/json',
      ...(as === undefined ? {} : { 'impersonate-user': as }),
      ...(groups.length === 0 ? {} : { 'impersonate-group': [...groups] }),
    },
    body: JSON.stringify({ apiVersion, kind, metadata: {}, ...(spec === undefined ? {} : { spec }) }),
    signal,
  })
  return response.json()
}
