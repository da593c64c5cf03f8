import { ApiError, type Cause } from '../api/status.ts'
import { CliError } from './cli-error.ts'
import { suggest } from './suggest.ts'

/** A failure as kubectl words it, without the newline at the end. */
export function describeError(err: unknown): string {
  if (err instanceof CliError) {
    const meant = err.meant && suggest(err.meant.word, err.meant.candidates)
    return `${err.plain ? '' : 'error: '}${err.message}${meant === undefined ? '' : `; did you mean "${meant}"?`}`
  }
  if (err instanceof ApiError) return describeApiError(err)
  return `error: ${err instanceof Error ? err.message : String(err)}`
}

/** `verb` is what the reader is told to ask for help about. */
export function describeUsage(err: unknown, verb: string): string | undefined {
  return err instanceof CliError && err.usage ? `See 'pmk ${verb === '' ? '' : `${verb} `}--help' for usage.` : undefined
}

export function exitCodeOf(err: unknown): number {
  return err instanceof CliError ? err.exitCode : 1
}

/** One cause on the line itself, several as a list. `place` tells where a field was written, when somebody knows. */
export function describeApiError(err: ApiError, place: (cause: Cause) => string = () => '', what = ''): string {
  const { reason, message, details } = err.status
  if (reason === 'Unauthorized')
    return `error: You must be logged in to the server (Unauthorized): it knows neither your certificate nor your token${what}`
  if (reason !== 'Invalid') return `Error from server (${reason}): ${message}${what}`
  if (details === undefined) return `The request is invalid: ${message}${what}`
  const named = details.kind !== undefined || details.name !== undefined
  const head = named ? `The ${details.kind ?? 'object'} "${details.name ?? ''}" is invalid${what}` : `The request is invalid${what}`
  const lines = (details.causes ?? []).map((cause) => `${cause.field === '' ? '' : `${cause.field}: `}${cause.message}${place(cause)}`)
  const [first] = lines
  if (first === undefined) return `${head}: ${message}`
  return lines.length === 1 ? `${head}: ${first}` : [`${head}:`, ...lines.map((line) => `* ${line}`)].join('\n')
}
