import type { ApiObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/scheme.ts'
import { apiError } from '../api/status.ts'
import type { Clock } from '../base/clock.ts'
import { stringifyYaml } from '../base/yaml.ts'
import { jsonOf } from '../registry/object-text.ts'
import type { ListResult } from '../registry/registry.ts'
import { eventLine, listJson, metadataJsonOf } from './json-text.ts'
import { DOCUMENT, negotiate, RESOURCE, RESOURCE_LIST, RESOURCE_WATCH, type Renderable, type Rendering } from './negotiation.ts'
import { type ApiRequest, JSON_TYPE, jsonAnswer, type TextAnswer } from './route.ts'
import { bookmarkTableJson, type IncludeObject, rowTableJson, type TableFormat, tableFormat, tableJson } from './table.ts'
import { listYaml, yamlOf } from './yaml-text.ts'

const YAML_TYPE = 'application/yaml'

/** Gives the objects of one kind the form that a client asks for. */
export interface Renderer {
  /** Throws NotAcceptable, before anything is done. */
  object(request: ApiRequest): (object: ApiObject, code?: number) => TextAnswer
  list(request: ApiRequest): (result: ListResult) => TextAnswer
  /** One line; `first` is for the first event of a stream. A BOOKMARK is an object without a name, in the form of all others. */
  event(request: ApiRequest): RenderEvent
}

export type RenderEvent = (type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK', object: ApiObject, first: boolean) => string | Uint8Array

export function createRenderer(definition: ResourceDefinition, clock: Clock): Renderer {
  const format = tableFormat(definition)
  return {
    object(request) {
      const rendering = renderingOf(request, RESOURCE)
      const include = includeObject(request)
      return (object, code = 200) => {
        return finish(rendering, code, () => renderObject(rendering, format, object, { include, clock }))
      }
    },
    list(request) {
      const rendering = renderingOf(request, RESOURCE_LIST)
      const include = includeObject(request)
      return (result) => finish(rendering, 200, () => renderList(rendering, definition, format, result, { include, clock }))
    },
    event(request) {
      const rendering = renderingOf(request, RESOURCE_WATCH)
      const include = includeObject(request)
      const { as } = rendering
      if (as === 'json') return (type, object) => (type === 'BOOKMARK' ? eventText(type, jsonOf(object)) : eventLine(type, object))
      return (type, object, first) => {
        if (type === 'BOOKMARK' && as === 'table') {
          return eventText(type, bookmarkTableJson(format, object, { version: rendering.version, include, withoutColumns: !first }))
        }
        return eventText(type, renderObject(rendering, format, object, { include, clock, withoutColumns: !first }))
      }
    },
  }
}

function eventText(type: string, object: string): string {
  return `{"type":"${type}","object":${object}}\n`
}

/** Gives what isn't an object of a kind the form that a client asks for. Throws NotAcceptable, before anything is done. */
export function documentRenderer({ headers }: Pick<ApiRequest, 'headers'>): (value: object) => TextAnswer {
  const { as } = negotiate(headers.accept, DOCUMENT)
  return (value) => (as === 'yaml' ? { code: 200, contentType: YAML_TYPE, text: stringifyYaml(value) } : jsonAnswer(value))
}

interface RenderOptions {
  readonly include: IncludeObject
  readonly clock: Clock
  readonly withoutColumns?: boolean
}

function renderObject(rendering: Rendering, format: TableFormat, object: ApiObject, options: RenderOptions): string {
  switch (rendering.as) {
    case 'json':
      return jsonOf(object)
    case 'yaml':
      return yamlOf(object)
    case 'metadata':
      return metadataJsonOf(object)
    case 'table': {
      const { include, clock, withoutColumns = false } = options
      return rowTableJson(format, object, { version: rendering.version, include, now: clock.now(), withoutColumns })
    }
  }
}

function renderList(
  rendering: Rendering,
  { kind, apiVersion }: ResourceDefinition,
  format: TableFormat,
  result: ListResult,
  { include, clock }: RenderOptions,
): string | Iterable<string> {
  const list = { kind: `${kind}List`, apiVersion }
  switch (rendering.as) {
    case 'json':
      return listJson(list, result, result.items, jsonOf)
    case 'yaml':
      return listYaml(list, result)
    case 'metadata':
      return listJson({ kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1' }, result, result.items, metadataJsonOf)
    case 'table':
      return tableJson(format, result.items, result, { version: rendering.version, include, now: clock.now() })
  }
}

function finish(rendering: Rendering, code: number, text: () => TextAnswer['text']): TextAnswer {
  return { code, contentType: rendering.as === 'yaml' ? YAML_TYPE : JSON_TYPE, text: text() }
}

function renderingOf({ headers }: ApiRequest, can: ReadonlySet<Renderable>): Rendering {
  return negotiate(headers.accept, can)
}

function includeObject({ query }: ApiRequest): IncludeObject {
  const text = query.get('includeObject') || 'Metadata'
  if (text === 'None' || text === 'Metadata' || text === 'Object') return text
  throw apiError('BadRequest', `query parameter includeObject: must be None, Metadata or Object, got ${JSON.stringify(text)}`)
}
