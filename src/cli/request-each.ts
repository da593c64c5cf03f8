import { ApiError, type Status } from '../api/status.ts'
import type { HttpClient } from '../client/http-client.ts'
import { CliError } from './cli-error.ts'
import { describeError } from './errors.ts'
import { pathOf } from './resources.ts'
import type { FoundTarget } from './targets.ts'
import type { Context } from './verb.ts'

/** What one Instance answered to a signal or a reload. */
export interface RequestResult {
  readonly instance: string
  readonly outcome: 'Success' | 'Failure'
  readonly exitCode?: number
  readonly output?: string
  readonly status?: Status
}

/** The path of a subresource of a target. */
export function requestPath({ definition, ref }: Pick<FoundTarget, 'definition' | 'ref'>, subresource: string): string {
  return `${pathOf(definition, ref.namespace, ref.name)}/${subresource}`
}

/** Has the Instances of a target do something once. Throws when one of them, or none, could do it; all have been asked then. */
export async function requestOnce(
  { io, signal }: Context,
  client: HttpClient,
  target: FoundTarget,
  name: string,
  { subresource, body, word }: { readonly subresource: 'signal' | 'reload' | 'pause'; readonly body: object; readonly word: string },
): Promise<void> {
  const response = await client.request({
    method: 'POST',
    path: requestPath(target, subresource),
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal,
  })
  // The server's own answer, of this shape.
  const { items } = (await response.json()) as { readonly items: readonly RequestResult[] }
  if (items.length === 0) throw new CliError(`${name} could not be ${word}: it has no Instance`)
  for (const { output } of items) if (output !== undefined && output !== '') io.write(output.endsWith('\n') ? output : `${output}\n`)
  const failures = items.flatMap((result) => failureOf(result, word))
  if (failures.length > 0) throw new CliError(failures.join('\n'), { plain: true, exitCode: exitCodeOf(items) })
}

function failureOf({ instance, outcome, exitCode = 0, status }: RequestResult, word: string): readonly string[] {
  if (outcome === 'Failure') return [status === undefined ? `error: ${instance} could not be ${word}` : describeError(new ApiError(status))]
  return exitCode === 0 ? [] : [`error: ${instance} was not ${word}: the command exited with code ${exitCode}`]
}

/** Of a command that was run: its own. */
function exitCodeOf(items: readonly RequestResult[]): number {
  return items.find(({ exitCode = 0 }) => exitCode !== 0)?.exitCode ?? 1
}
