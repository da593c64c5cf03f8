import { qualifiedResource, type ResourceDefinition, type ResourceVerb } from '../api/scheme.ts'
import { apiError } from '../api/status.ts'
import { type Clock, sleep } from '../base/clock.ts'
import { isJsonObject } from '../base/json.ts'
import type { Registry, WriteContext } from '../registry/registry.ts'
import { isWatch, listQuery, type Scope, timeoutSeconds, watchQuery } from './list-options.ts'
import { booleanParameter, textParameter } from './query.ts'
import { createRenderer, documentRenderer, type Renderer } from './render.ts'
import { decodeDeleteOptions, decodeObject, decodePatch } from './request-body.ts'
import { type Answer, type ApiRequest, type Handler, jsonAnswer, type Method, type Route } from './route.ts'
import { NO_SUCH_METHOD } from './status-errors.ts'
import { watchAnswer } from './watch.ts'
import { deleteOptions, type OptionsKind, type WriteRequest, writeContext } from './write-options.ts'

export interface ResourceRouteOptions {
  readonly registry: Registry
  readonly clock: Clock
  readonly random: () => number
}

/** How long a GET waits for a resourceVersion that other replicas of the client have seen already. */
const FUTURE_WAIT = 3_000

/** `/apis/pmk.dev/v1`, or `/api/v1` for the core group. */
export function groupVersionPath({ group, version }: { readonly group: string; readonly version: string }): string {
  return group === '' ? `/api/${version}` : `/apis/${group}/${version}`
}

/** Where the objects of a kind are: all of them, and one, with `:namespace` and `:name`. */
export function resourcePaths(definition: ResourceDefinition): {
  readonly all: string
  readonly collection: string
  readonly item: string
} {
  const base = groupVersionPath(definition)
  const all = `${base}/${definition.plural}`
  const collection = definition.scope === 'Namespaced' ? `${base}/namespaces/:namespace/${definition.plural}` : all
  return { all, collection, item: `${collection}/:name` }
}

/** Reading and writing one kind, with its `/status` and `/scale`. */
export function resourceRoutes(definition: ResourceDefinition, options: ResourceRouteOptions): readonly Route[] {
  const paths = resourcePaths(definition)
  const resource = new ResourceHandlers(definition, options)
  const can = (verb: ResourceVerb, method: Method, handler: Handler): Route['methods'] =>
    definition.verbs.includes(verb) ? { [method]: handler } : {}
  const routes: Route[] = [
    {
      path: paths.collection,
      methods: {
        ...can('list', 'GET', resource.list),
        ...can('create', 'POST', resource.create),
        ...can('deletecollection', 'DELETE', resource.deleteCollection),
      },
    },
    {
      path: paths.item,
      methods: {
        ...can('get', 'GET', resource.get),
        ...can('update', 'PUT', resource.update()),
        ...can('patch', 'PATCH', resource.patch()),
        ...can('delete', 'DELETE', resource.delete),
      },
    },
  ]
  if (paths.all !== paths.collection) routes.push({ path: paths.all, methods: can('list', 'GET', resource.list) })
  if (definition.subresources.status !== undefined) {
    routes.push({
      path: `${paths.item}/status`,
      methods: {
        ...can('get', 'GET', resource.get),
        ...can('update', 'PUT', resource.update('status')),
        ...can('patch', 'PATCH', resource.patch('status')),
      },
    })
  }
  if (definition.subresources.scale !== undefined) {
    routes.push({
      path: `${paths.item}/scale`,
      methods: {
        ...can('get', 'GET', resource.getScale),
        ...can('update', 'PUT', resource.updateScale),
        ...can('patch', 'PATCH', resource.patchScale),
      },
    })
  }
  // Nothing is said to be there that can't be asked for at all.
  return routes.filter(({ methods }) => Object.keys(methods).length > 0)
}

class ResourceHandlers {
  readonly #definition: ResourceDefinition
  readonly #registry: Registry
  readonly #clock: Clock
  readonly #random: () => number
  readonly #renderer: Renderer

  constructor(definition: ResourceDefinition, { registry, clock, random }: ResourceRouteOptions) {
    this.#definition = definition
    this.#registry = registry
    this.#clock = clock
    this.#random = random
    this.#renderer = createRenderer(definition, clock)
  }

  readonly list = async (request: ApiRequest): Promise<Answer> => {
    if (isWatch(request.query)) return this.#watch(request, scopeOf(request))
    const render = this.#renderer.list(request)
    return render(await this.#registry.list(this.#definition, listQuery(request.query, scopeOf(request))))
  }

  readonly get = async (request: ApiRequest): Promise<Answer> => {
    if (isWatch(request.query)) return this.#watch(request, { ...scopeOf(request), name: refOf(request).name })
    const render = this.#renderer.object(request)
    await this.#reached(request)
    return render(await this.#registry.get(this.#definition, refOf(request)))
  }

  readonly create = async (request: ApiRequest): Promise<Answer> => {
    const render = this.#renderer.object(request)
    const context = contextOf('CreateOptions', request)
    const { namespace } = request.parameters
    const body = decodeObject(request.body, this.#definition)
    request.note(nameIn(body.value))
    const object = await this.#registry.create(this.#definition, namespace, body, context)
    // It may have been made up.
    request.note({ name: object.metadata.name })
    return render(object, 201)
  }

  update(subresource?: 'status'): (request: ApiRequest) => Promise<Answer> {
    return async (request) => {
      const render = this.#renderer.object(request)
      const context = contextOf('UpdateOptions', request)
      const body = decodeObject(request.body, this.#definition)
      return render(await this.#registry.update(this.#definition, refOf(request), body, context, subresource))
    }
  }

  patch(subresource?: 'status'): (request: ApiRequest) => Promise<Answer> {
    return async (request) => {
      const render = this.#renderer.object(request)
      const { patch, duplicates } = decodePatch(request.body, booleanParameter(request.query, 'force'))
      const context = contextOf('PatchOptions', request, { apply: patch.type === 'apply' })
      const { object, created } = await this.#registry.patch(this.#definition, refOf(request), patch, duplicates, context, subresource)
      return render(object, created ? 201 : 200)
    }
  }

  readonly delete = async (request: ApiRequest): Promise<Answer> => {
    const { query, context } = deleteOptions(decodeDeleteOptions(request.body), writeRequest(request))
    request.note({ dryRun: context.dryRun })
    const render = this.#renderer.object(request)
    const { removed, object } = await this.#registry.delete(this.#definition, refOf(request), query, context)
    if (!removed) return render(object)
    const { name, uid } = object.metadata
    const { group, plural } = this.#definition
    const details = { name, ...(group === '' ? {} : { group }), kind: plural, uid }
    return jsonAnswer({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details })
  }

  readonly deleteCollection = async (request: ApiRequest): Promise<Answer> => {
    const { query, context } = deleteOptions(decodeDeleteOptions(request.body), writeRequest(request))
    request.note({ dryRun: context.dryRun })
    const render = this.#renderer.list(request)
    return render(await this.#registry.deleteCollection(this.#definition, listQuery(request.query, scopeOf(request)), query, context))
  }

  readonly getScale = async (request: ApiRequest): Promise<Answer> => {
    const render = documentRenderer(request)
    return render(await this.#registry.getScale(this.#definition, refOf(request)))
  }

  readonly updateScale = async (request: ApiRequest): Promise<Answer> => {
    const render = documentRenderer(request)
    const context = contextOf('UpdateOptions', request)
    return render(await this.#registry.updateScale(this.#definition, refOf(request), decodeObject(request.body), context))
  }

  readonly patchScale = async (request: ApiRequest): Promise<Answer> => {
    const render = documentRenderer(request)
    const { patch, duplicates } = decodePatch(request.body, booleanParameter(request.query, 'force'))
    const context = contextOf('PatchOptions', request, { apply: patch.type === 'apply' })
    return render(await this.#registry.patchScale(this.#definition, refOf(request), patch, duplicates, context))
  }

  #watch(request: ApiRequest, scope: Scope): Promise<Answer> {
    if (!this.#definition.verbs.includes('watch')) throw apiError('MethodNotAllowed', NO_SUCH_METHOD, {})
    return watchAnswer({
      registry: this.#registry,
      definition: this.#definition,
      query: watchQuery(request.query, scope),
      timeoutSeconds: timeoutSeconds(request.query),
      render: this.#renderer.event(request),
      clock: this.#clock,
      random: this.#random,
      signal: request.signal,
    })
  }

  /** A read that asks for at least a certain state waits for it, but not for long. */
  async #reached(request: ApiRequest): Promise<void> {
    const text = textParameter(request.query, 'resourceVersion')
    if (text === undefined) return
    if (!/^[0-9]{1,16}$/.test(text))
      throw apiError('BadRequest', `query parameter resourceVersion: must be a number, got ${JSON.stringify(text)}`)
    const end = this.#clock.monotonic() + FUTURE_WAIT
    while (Number(text) > Number(this.#registry.resourceVersion())) {
      if (this.#clock.monotonic() >= end) {
        throw apiError('Timeout', `Too large resource version: ${text}, current: ${this.#registry.resourceVersion()}`, {
          group: this.#definition.group,
          kind: qualifiedResource(this.#definition),
          causes: [{ field: '', reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
          retryAfterSeconds: 1,
        })
      }
      await sleep(this.#clock, 50, request.signal)
    }
  }
}

function refOf({ parameters }: ApiRequest): { readonly name: string; readonly namespace?: string } {
  const { name = '', namespace } = parameters
  return namespace === undefined ? { name } : { name, namespace }
}

function scopeOf({ parameters }: ApiRequest): Scope {
  return parameters.namespace === undefined ? {} : { namespace: parameters.namespace }
}

function contextOf(kind: OptionsKind, request: ApiRequest, options?: { readonly apply?: boolean }): WriteContext {
  const context = writeContext(kind, writeRequest(request), options)
  request.note({ dryRun: context.dryRun })
  return context
}

/** The name that an object to be made claims. */
function nameIn(value: unknown): { readonly name?: string } {
  const metadata = isJsonObject(value) ? value.metadata : undefined
  const name = isJsonObject(metadata) ? metadata.name : undefined
  return typeof name === 'string' ? { name } : {}
}

function writeRequest({ query, user, headers, warn, admit }: ApiRequest): WriteRequest {
  return { query, user, userAgent: headers['user-agent'], warn, admit }
}
