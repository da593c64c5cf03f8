import { ApiError } from '../api/status.ts'
import { conflictsOf, type Placed } from '../manifest/apply.ts'
import { strictErrorsOf } from '../manifest/problems.ts'
import { CliError } from './cli-error.ts'
import { concurrently, PARALLEL_REQUESTS } from './concurrently.ts'
import { describeApiError, describeError } from './errors.ts'

/** A failure to apply one object, with the file and the line of each field that is at fault. */
export function describeApplyError({ manifest }: Placed, err: unknown): string {
  const { file, line, lineOf } = manifest.origin
  if (!(err instanceof ApiError)) return `${describeError(err)} (${file}:${line})`
  const unknownFields = strictErrorsOf(err)
  if (unknownFields.length > 0) {
    return unknownFields.map(({ field, text }) => `error: ${file}:${lineOf(field)}: ${text}`).join('\n')
  }
  const place = ({ field }: { readonly field: string }): string => ` (${file}:${lineOf(field)})`
  const conflicts = err.status.reason === 'Conflict' ? conflictsOf(err) : []
  if (conflicts.length > 0) {
    const owners = conflicts.map(
      ({ manager, fields }) => `* "${manager}" owns ${fields.map((field) => `${field} (${file}:${lineOf(field)})`).join(', ')}`,
    )
    const name = `${manifest.definition.kind} "${manifest.name}"`
    return [
      `Error from server (Conflict): ${name} has fields of other managers:`,
      ...owners,
      'Leave these fields out, or take them with --force-conflicts.',
    ].join('\n')
  }
  const hasCauses = err.status.reason === 'Invalid' && (err.status.details?.causes ?? []).length > 0
  return describeApiError(err, place, hasCauses ? '' : ` (${file}:${line})`)
}

/** Checks all, and throws one error about all that failed. */
export async function refuseAll(placed: readonly Placed[], check: (one: Placed) => Promise<void>): Promise<void> {
  const failures = await concurrently(placed, PARALLEL_REQUESTS, async (one) => {
    try {
      await check(one)
      return undefined
    } catch (err) {
      if (err instanceof ApiError || err instanceof CliError) return describeApplyError(one, err)
      throw err
    }
  })
  const found = failures.filter((failure) => failure !== undefined)
  if (found.length === 0) return
  const rest = placed.length === 1 ? '' : '\nNothing was applied.'
  throw new CliError(`${[...new Set(found)].join('\n')}${rest}`, { plain: true })
}
