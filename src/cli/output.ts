import type { ApiObject } from '../api/object.ts'
import { findDefinition } from '../api/scheme.ts'
import { CliError } from './cli-error.ts'
import type { Io } from './io.ts'
import { printedName } from './resources.ts'

/** -o, taken apart. Templates are compiled before anything is asked of the server. */
export type OutputFormat =
  | { readonly type: 'table'; readonly wide: boolean }
  | { readonly type: 'json' | 'yaml' | 'name' }
  | { readonly type: 'template'; readonly render: (object: unknown) => string }
  | { readonly type: 'columns'; readonly headers: readonly string[]; readonly row: (object: unknown) => readonly string[] }

export async function parseOutput(text: string | undefined): Promise<OutputFormat> {
  const [, word = '', argument] = /^([a-z-]*)(?:=(.*))?$/s.exec(text ?? '') ?? []
  switch (word) {
    case '':
    case 'wide':
      if (text !== undefined && text !== word) break
      return { type: 'table', wide: word === 'wide' }
    case 'json':
    case 'yaml':
    case 'name':
      if (argument === undefined) return { type: word }
      break
    case 'jsonpath':
    case 'jsonpath-as-json': {
      if (argument === undefined) throw new CliError('template format specified but no template given')
      const { compilePath, compileTemplate, renderTemplate } = await import('./jsonpath.ts')
      if (word === 'jsonpath-as-json') {
        const read = compilePath(argument)
        return { type: 'template', render: (object) => `${JSON.stringify(read(object), null, 4)}\n` }
      }
      const template = compileTemplate(argument)
      return { type: 'template', render: (object) => renderTemplate(template, object) }
    }
    case 'custom-columns': {
      if (argument === undefined) throw new CliError('custom-columns format specified but no custom columns given')
      const { compileColumns } = await import('./custom-columns.ts')
      return { type: 'columns', ...compileColumns(argument) }
    }
  }
  const formats = 'custom-columns,json,jsonpath,jsonpath-as-json,name,wide,yaml'
  throw new CliError(`unable to match a printer suitable for the output format "${text}", allowed formats are: ${formats}`)
}

export interface PrintOptions {
  readonly showManagedFields: boolean
  readonly headers?: boolean
  /** True: what is printed is a list, even of one. */
  readonly list: boolean
}

/** Prints whole objects: every format but the table, which only the server can make. */
export async function printObjects(
  io: Io,
  objects: readonly ApiObject[],
  format: Exclude<OutputFormat, { readonly type: 'table' }>,
  options: PrintOptions,
): Promise<void> {
  const shown = options.showManagedFields ? objects : objects.map(withoutManagedFields)
  const whole = options.list ? { apiVersion: 'v1', items: shown, kind: 'List', metadata: { resourceVersion: '' } } : shown[0]
  // biome-ignore lint/nursery/useExhaustiveSwitchCases: it doesn't see that Exclude took the other case away; the compiler does
  switch (format.type) {
    case 'json':
    case 'yaml': {
      const { formatObject } = await import('./printers.ts')
      io.write(await formatObject(whole, format.type))
      return
    }
    case 'name':
      io.write(objects.map((object) => `${nameOf(object)}\n`).join(''))
      return
    case 'template':
      io.write(format.render(whole))
      return
    case 'columns': {
      const { formatTable } = await import('./table.ts')
      io.write(formatTable(format.headers, shown.map(format.row), { headers: options.headers ?? true }))
      return
    }
  }
}

/** `process.pmk.dev/web` */
export function nameOf({ apiVersion, kind, metadata }: ApiObject): string {
  const definition = findDefinition(apiVersion, kind)
  return definition === undefined ? `${kind.toLowerCase()}/${metadata.name}` : printedName(definition, metadata.name)
}

function withoutManagedFields(object: ApiObject): ApiObject {
  const { managedFields: _, ...metadata } = object.metadata
  return { ...object, metadata }
}
