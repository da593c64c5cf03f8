import type { ApiObject } from '../api/object.ts'
import type { JsonObject } from '../base/json.ts'
import { sortKeys } from '../base/json.ts'
import { stringifyYaml } from '../base/yaml.ts'
import { withHiddenValues } from '../manifest/hidden-values.ts'
import { unifiedDiff } from '../manifest/unified-diff.ts'
import type { Context } from './verb.ts'

export interface Difference {
  /** `process.pmk.dev/web` */
  readonly name: string
  readonly before: ApiObject | undefined
  readonly after: ApiObject
  readonly fields: readonly { readonly path: string; readonly restart: boolean }[]
}

/** Prints one difference; true when there is one. */
export function printDifference(ctx: Context, { name, before, after, fields }: Difference): boolean {
  const from = { name: `live/${name}`, text: before === undefined ? '' : textOf(before, after, 'before') }
  const text = unifiedDiff(from, { name: `merged/${name}`, text: textOf(after, before, 'after') })
  if (text === '') return false
  ctx.io.write(ctx.io.colour ? coloured(text) : text)
  if (before === undefined) ctx.io.write(`${name} will be created\n`)
  for (const { path, restart } of fields) ctx.io.write(`${name}: ${path} changes${restart ? ' (restart)' : ''}\n`)
  return true
}

/** The object without what changes with every write. Values of a Secret are not shown, only which ones differ. */
function textOf(object: ApiObject, other: ApiObject | undefined, side: 'before' | 'after'): string {
  const {
    managedFields: _,
    resourceVersion: _version,
    generation: _generation,
    uid: _uid,
    creationTimestamp: _created,
    ...metadata
  } = object.metadata
  const { status: _status, ...rest } = withHiddenValues(
    { ...object, metadata: metadata as ApiObject['metadata'] },
    other,
    side,
  ) as ApiObject & {
    readonly status?: unknown
  }
  return stringifyYaml(sortKeys(rest as object as JsonObject))
}

function coloured(text: string): string {
  return text.replace(/^([-+]).*$/gm, (line, sign: string) => `\u001b[${sign === '-' ? 31 : 32}m${line}\u001b[0m`)
}
