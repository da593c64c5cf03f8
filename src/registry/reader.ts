import { forbiddenField, invalidField } from '../api/field-errors.ts'
import type { ApiObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/scheme.ts'
import type { Cause } from '../api/status.ts'
import type { Clock } from '../base/clock.ts'
import { nextTurn } from '../base/turn.ts'
import type { Ref } from '../client/client.ts'
import type { KeyValue, Page, Revision, Store } from '../storage/store.ts'
import { isStoreError } from '../storage/store-error.ts'
import type { Codec } from './codec.ts'
import { decodeContinue, encodeContinue, type Position } from './continue-token.ts'
import { expired, fromStore, notFound } from './errors.ts'
import { keyFor, prefixFor } from './keys.ts'
import { parseResourceVersion, refuseOptions, waitForRevision } from './query.ts'
import type { ListQuery, ListResult } from './registry.ts'
import { type Matches, selectionOf } from './selection.ts'

export interface ReaderOptions {
  readonly store: Store
  readonly codec: Codec
  readonly clock: Clock
}

/** An object and the stored record that it was decoded from: what a compare-and-set starts from. */
export interface Current {
  readonly kv: KeyValue
  readonly object: ApiObject
}

/** Reads single objects and lists, whole or in pages. */
export class Reader {
  readonly #store: Store
  readonly #codec: Codec
  readonly #clock: Clock

  constructor(options: ReaderOptions) {
    this.#store = options.store
    this.#codec = options.codec
    this.#clock = options.clock
  }

  async find(definition: ResourceDefinition, { namespace, name }: Ref): Promise<Current | undefined> {
    try {
      const kv = await this.#store.get(keyFor(definition, namespace, name))
      return kv === undefined ? undefined : { kv, object: this.#codec.decode(definition, kv) }
    } catch (err) {
      throw fromStore(err)
    }
  }

  async get(definition: ResourceDefinition, ref: Ref): Promise<Current> {
    const current = await this.find(definition, ref)
    if (current === undefined) throw notFound(definition, ref.name)
    return current
  }

  async list(definition: ResourceDefinition, query: ListQuery): Promise<ListResult> {
    const matches = selectionOf(definition, query)
    const prefix = prefixFor(definition, query.namespace)
    const position = await this.#positionOf(prefix, query)
    const limit = query.limit === undefined || query.limit <= 0 ? undefined : query.limit
    try {
      return matches === undefined
        ? await this.#page(definition, prefix, position, limit)
        : await this.#selectedPage(definition, prefix, position, limit, matches)
    } catch (err) {
      if (isStoreError(err, 'Compacted') && query.continue !== undefined && position.after !== undefined) {
        const token = encodeContinue({ revision: undefined, after: position.after })
        throw expired(
          'The provided continue token is too old. List again from the beginning, or go on with the token in metadata.continue, which gives an inconsistent list.',
          token,
        )
      }
      throw fromStore(err)
    }
  }

  /** Where to read from: the newest state, one that the query names exactly, or the one that its page before showed. */
  async #positionOf(prefix: string, query: ListQuery): Promise<Partial<Position>> {
    const revision = parseResourceVersion(query.resourceVersion)
    refuseOptions(contradictionsOf(query, revision))
    if (query.continue !== undefined && query.continue !== '') return decodeContinue(query.continue, prefix, this.#store.revision())
    if (revision === undefined || revision === 0) return {}
    await waitForRevision(this.#store, this.#clock, revision, undefined)
    const isExact = query.resourceVersionMatch === 'Exact' || (query.resourceVersionMatch === undefined && (query.limit ?? 0) > 0)
    return isExact ? { revision } : {}
  }

  async #page(definition: ResourceDefinition, prefix: string, position: Partial<Position>, limit: number | undefined): Promise<ListResult> {
    const page = await this.#range(prefix, position, limit)
    const items = await this.#decodePage(definition, page, position.revision)
    if (page.next === undefined) return { items, resourceVersion: String(page.revision) }
    return {
      items,
      resourceVersion: String(page.revision),
      continue: encodeContinue({ revision: page.revision, after: page.next }),
      remainingItemCount: page.remaining,
    }
  }

  /** Reads on until there are enough that match. */
  async #selectedPage(
    definition: ResourceDefinition,
    prefix: string,
    position: Partial<Position>,
    limit: number | undefined,
    matches: Matches,
  ): Promise<ListResult> {
    const items: ApiObject[] = []
    let from = position
    for (;;) {
      const page = await this.#range(prefix, from, limit === undefined ? undefined : Math.max(limit, CHUNK))
      const objects = await this.#decodePage(definition, page, from.revision)
      for (const [index, object] of objects.entries()) {
        if (!matches(object)) continue
        items.push(object)
        const after = page.items[index]?.key ?? prefix
        const isLast = index === objects.length - 1 && page.next === undefined
        if (items.length === limit && !isLast) {
          return { items, resourceVersion: String(page.revision), continue: encodeContinue({ revision: page.revision, after }) }
        }
      }
      if (page.next === undefined) return { items, resourceVersion: String(page.revision) }
      from = { revision: page.revision, after: page.next }
    }
  }

  #range(prefix: string, { revision, after }: Partial<Position>, limit: number | undefined): Promise<Page> {
    return this.#store.range(prefix, {
      ...(revision === undefined ? {} : { revision }),
      ...(after === undefined ? {} : { after }),
      ...(limit === undefined ? {} : { limit }),
    })
  }

  /** In turns, since after a restart each object must be read: others needn't wait for thousands of them. */
  async #decodePage(definition: ResourceDefinition, page: Page, revision: Revision | undefined): Promise<readonly ApiObject[]> {
    const objects: ApiObject[] = []
    for (const kv of page.items) {
      if (objects.length % DECODED_A_TURN === DECODED_A_TURN - 1) await nextTurn()
      // What may have changed since the page was read is the past, which the codec keeps for a while only.
      const isPresent = revision === undefined && this.#store.revision() === page.revision
      objects.push(isPresent ? this.#codec.decode(definition, kv) : this.#codec.decodePast(definition, kv))
    }
    return objects
  }
}

const DECODED_A_TURN = 256

/** How many keys are read at once when a selector leaves an unknown share of them. */
const CHUNK = 500

function contradictionsOf(query: ListQuery, revision: Revision | undefined): readonly Cause[] {
  const match = query.resourceVersionMatch
  const isContinued = query.continue !== undefined && query.continue !== ''
  const causes: Cause[] = []
  if (isContinued && revision !== undefined && revision !== 0) {
    causes.push(forbiddenField('resourceVersion', 'specifying resource version is not allowed when using continue'))
  }
  if (match === undefined || match === '') return causes
  const field = 'resourceVersionMatch'
  if (isContinued) causes.push(forbiddenField(field, 'resourceVersionMatch is forbidden when continue is provided'))
  if (revision === undefined) causes.push(forbiddenField(field, 'resourceVersionMatch is forbidden unless resourceVersion is provided'))
  if (match !== 'Exact' && match !== 'NotOlderThan') causes.push(invalidField(field, match, 'must be Exact or NotOlderThan'))
  if (match === 'Exact' && revision === 0) {
    causes.push(forbiddenField(field, 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
  }
  return causes
}
