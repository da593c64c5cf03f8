import { invalidField, invalidObject } from '../api/field-errors.ts'
import type { ApiObject, New } from '../api/object.ts'
import type { ResourceDefinition } from '../api/scheme.ts'
import { apiError } from '../api/status.ts'
import type { WatchEvent } from '../api/watch-event.ts'
import { isJsonObject } from '../base/json.ts'
import type {
  CallOptions,
  DeleteOptions,
  List,
  ListOptions,
  Patch,
  PatchOptions,
  Ref,
  ResourceClient,
  Selection,
  WatchOptions,
  WriteOptions,
} from './client.ts'
import type { HttpResponse } from './http-response.ts'
import type { HttpRequest } from './http-transport.ts'
import { decodeWatch } from './watch-decoder.ts'

/** Where an object of a namespaced kind is meant to be when nobody says. */
const DEFAULT_NAMESPACE = 'default'

export interface HttpResourceOptions {
  readonly definition: ResourceDefinition
  readonly request: (request: HttpRequest) => Promise<HttpResponse>
  readonly fieldManager: string
}

/** One kind over HTTP. */
export class HttpResource<T extends ApiObject> implements ResourceClient<T> {
  readonly #definition: ResourceDefinition
  readonly #request: (request: HttpRequest) => Promise<HttpResponse>
  readonly #fieldManager: string

  constructor({ definition, request, fieldManager }: HttpResourceOptions) {
    this.#definition = definition
    this.#request = request
    this.#fieldManager = fieldManager
  }

  async get(ref: Ref, options: CallOptions = {}): Promise<T> {
    return this.#object({ method: 'GET', path: this.#itemPath(ref), ...signalOf(options) })
  }

  async list(options: ListOptions = {}): Promise<List<T>> {
    const { limit, continue: token } = options
    const path = this.#collectionPath(options.namespace)
    const response = await this.#request({
      method: 'GET',
      path,
      query: { ...queryOf(options), limit, continue: token },
      ...signalOf(options),
    })
    const list = (await response.json()) as WireList<T>
    const { resourceVersion, continue: next } = list.metadata
    return { items: list.items, resourceVersion, ...(next === undefined ? {} : { continue: next }) }
  }

  async *watch(options: WatchOptions): AsyncGenerator<WatchEvent<T>, void, undefined> {
    const { signal } = options
    let { resourceVersion } = options
    for (;;) {
      let heard = false
      try {
        for await (const event of this.#watchOnce(options, resourceVersion)) {
          if (signal.aborted) return
          heard = true
          // While the present state is being told, there is no version to go on from.
          const position = versionAfter(event)
          if (position !== undefined && (resourceVersion !== undefined || event.type === 'BOOKMARK')) resourceVersion = position
          yield event
          if (signal.aborted) return
        }
      } catch (err) {
        if (signal.aborted) return
        throw err
      }
      // Servers end watches from time to time. One that says nothing at all is not asked again at once, nor one whose
      // state was told in part only.
      if (!heard || resourceVersion === undefined) throw apiError('ServiceUnavailable', 'the server ended the watch')
    }
  }

  async create(object: New<T>, options: WriteOptions = {}): Promise<T> {
    const { namespace } = object.metadata
    const path = this.#collectionPath(this.#definition.scope === 'Cluster' ? undefined : (namespace ?? DEFAULT_NAMESPACE))
    return this.#write('POST', path, object, options)
  }

  async update(object: T, options: WriteOptions = {}): Promise<T> {
    return this.#write('PUT', this.#itemPath(object.metadata), object, options)
  }

  async updateStatus(object: T, options: WriteOptions = {}): Promise<T> {
    return this.#write('PUT', `${this.#itemPath(object.metadata)}/status`, object, options)
  }

  async patch(ref: Ref, patch: Patch, options: PatchOptions = {}): Promise<T> {
    const { subresource } = options
    const path = `${this.#itemPath(ref)}${subresource === undefined ? '' : `/${subresource}`}`
    const force = patch.type === 'apply' ? patch.force : undefined
    const changed = await this.#object({
      method: 'PATCH',
      path,
      query: { ...this.#writeQuery(options), force },
      headers: { 'content-type': PATCH_TYPES[patch.type] },
      body: JSON.stringify(patch.type === 'json' ? patch.operations : patch.value),
      ...signalOf(options),
    })
    // The answer to a change of the scale is a Scale, which isn't what callers of this interface want to know.
    return subresource === 'scale' ? this.get(ref, signalOf(options)) : changed
  }

  async delete(ref: Ref, options: DeleteOptions = {}): Promise<T | undefined> {
    const { uid, resourceVersion, propagation, gracePeriodSeconds, dryRun } = options
    const preconditions = uid === undefined && resourceVersion === undefined ? undefined : { uid, resourceVersion }
    const body = { kind: 'DeleteOptions', apiVersion: 'v1', preconditions, propagationPolicy: propagation, gracePeriodSeconds }
    const response = await this.#request({
      method: 'DELETE',
      path: this.#itemPath(ref),
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(dryRun ? { ...body, dryRun: ['All'] } : body),
      ...signalOf(options),
    })
    const answer = await response.json()
    return isJsonObject(answer) && answer.kind === 'Status' ? undefined : (answer as T)
  }

  async *#watchOnce(options: WatchOptions, resourceVersion: string | undefined): AsyncGenerator<WatchEvent<T>, void, undefined> {
    const start = resourceVersion === undefined ? { sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan' } : { resourceVersion }
    const response = await this.#request({
      method: 'GET',
      path: this.#collectionPath(options.namespace),
      query: { ...queryOf(options), watch: true, allowWatchBookmarks: true, ...start },
      signal: options.signal,
    })
    try {
      yield* decodeWatch<T>(response.body)
    } finally {
      response.cancel()
    }
  }

  async #write(method: 'POST' | 'PUT', path: string, object: object, options: WriteOptions): Promise<T> {
    return this.#object({
      method,
      path,
      query: this.#writeQuery(options),
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(object),
      ...signalOf(options),
    })
  }

  async #object(request: HttpRequest): Promise<T> {
    const response = await this.#request(request)
    return (await response.json()) as T
  }

  #writeQuery({ fieldManager = this.#fieldManager, dryRun, fieldValidation }: WriteOptions): NonNullable<HttpRequest['query']> {
    return { fieldManager, dryRun: dryRun ? 'All' : undefined, fieldValidation }
  }

  #collectionPath(namespace: string | undefined): string {
    const { group, version, plural } = this.#definition
    const base = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
    return namespace === undefined
      ? `${base}/${plural}`
      : `${base}/namespaces/${segment(this.#definition, 'namespace', namespace)}/${plural}`
  }

  #itemPath({ name, namespace }: { readonly name: string; readonly namespace?: string | undefined }): string {
    const place = this.#definition.scope === 'Cluster' ? undefined : (namespace ?? DEFAULT_NAMESPACE)
    return `${this.#collectionPath(place)}/${segment(this.#definition, 'name', name)}`
  }
}

interface WireList<T> {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string }
  readonly items: readonly T[]
}

const PATCH_TYPES: Readonly<Record<Patch['type'], string>> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  // JSON is YAML, and quicker to read.
  apply: 'application/apply-patch+yaml',
}

/**
 * A name as part of a path. An empty one would turn a request for one object into one for all of them, and one with a slash or
 * dots alone would lead elsewhere, so they never leave this machine.
 */
function segment(definition: ResourceDefinition, field: 'name' | 'namespace', text: string): string {
  if (text === '') throw apiError('BadRequest', `the ${field} is empty`)
  if (text === '.' || text === '..' || /[/%]/.test(text)) {
    throw invalidObject(definition, text, [invalidField(`metadata.${field}`, text, "may not be '.' or '..', nor contain '/' or '%'")])
  }
  return encodeURIComponent(text)
}

function queryOf({ labelSelector, fieldSelector }: Selection): NonNullable<HttpRequest['query']> {
  return { labelSelector: labelSelector || undefined, fieldSelector: fieldSelector || undefined }
}

function signalOf({ signal }: CallOptions): { readonly signal?: AbortSignal } {
  return signal === undefined ? {} : { signal }
}

function versionAfter<T extends ApiObject>(event: WatchEvent<T>): string | undefined {
  return event.type === 'BOOKMARK' ? event.resourceVersion : event.object.metadata.resourceVersion
}
