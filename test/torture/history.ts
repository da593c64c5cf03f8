import type { ApiObject, Kind } from '../../src/api/object.ts'
import { hasReason } from '../../src/api/status.ts'
import type { HttpClient } from '../../src/client/http-client.ts'
import { pause } from './keeper.ts'
import { MARK } from './wanted.ts'

/** All kinds there are: together they must show every revision of the store. */
export const KINDS: readonly Kind[] = ['Process', 'Instance', 'Revision', 'Node', 'ConfigMap', 'Secret', 'Namespace', 'Event']

export interface Happening {
  readonly revision: number
  readonly kind: Kind
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly key: string
  readonly uid: string
  /** What the last write of the harness to it was, if there was one. */
  readonly mark: string | undefined
}

/** Everything that watches told, by revision. */
export class History {
  readonly #byRevision = new Map<number, Happening>()
  readonly #byKind = new Map<Kind, Happening[]>(KINDS.map((kind) => [kind, []]))
  readonly #failed: (what: string) => void
  /** Where it begins. */
  readonly #from: number
  #whole: number
  newest: number
  /** How often a watch had to be resumed. */
  resumed = 0
  /** Told of each object as it goes by. */
  readonly #inspect: (object: ApiObject, kind: Kind) => void

  constructor(options: {
    readonly from: number
    readonly failed: (what: string) => void
    readonly inspect: (object: ApiObject, kind: Kind) => void
  }) {
    this.#from = options.from
    this.#whole = options.from
    this.newest = options.from
    this.#failed = options.failed
    this.#inspect = options.inspect
  }

  get size(): number {
    return this.#byRevision.size
  }

  at(revision: number): Happening | undefined {
    return this.#byRevision.get(revision)
  }

  /** Of one kind, after one revision up to another. */
  between(kind: Kind, after: number, upTo: number): readonly Happening[] {
    return (this.#byKind.get(kind) ?? []).filter(({ revision }) => revision > after && revision <= upTo)
  }

  /** The first revision up to this one that no watch told of. Up to the answer, or the end, none is missing. */
  missing(upTo: number): number | undefined {
    while (this.#whole < upTo && this.#byRevision.has(this.#whole + 1)) this.#whole += 1
    return this.#whole < upTo ? this.#whole + 1 : undefined
  }

  /** A full disk takes revisions with it: those up to this one are not asked for any more. Gives how many were missing. */
  forgive(upTo: number): number {
    let count = 0
    for (let revision = this.missing(upTo); revision !== undefined; revision = this.missing(upTo)) {
      this.#whole = revision
      count += 1
    }
    return count
  }

  /** The objects of a kind that were there at a revision: key and revision. */
  stateAt(kind: Kind, revision: number, before: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
    const state = new Map(before)
    for (const event of this.between(kind, this.#from, revision)) {
      if (event.type === 'DELETED') state.delete(event.key)
      else state.set(event.key, event.revision)
    }
    return state
  }

  /** Watches one kind until the signal, and goes on from the last revision whenever the watch breaks. */
  async record(client: HttpClient, kind: Kind, signal: AbortSignal): Promise<void> {
    let from = this.#from
    while (!signal.aborted) {
      try {
        for await (const event of client.for(kind).watch({ resourceVersion: String(from), signal })) {
          if (event.type === 'BOOKMARK') {
            if (Number(event.resourceVersion) < from) this.#failed(`${kind}: a bookmark of ${event.resourceVersion} after ${from}`)
            from = Number(event.resourceVersion)
            continue
          }
          const object: ApiObject = event.object
          const revision = Number(object.metadata.resourceVersion)
          if (revision <= from) this.#failed(`${kind}: event ${describe(happening(kind, event.type, object))} after ${from}`)
          from = revision
          this.#add(happening(kind, event.type, object))
          if (event.type !== 'DELETED') this.#inspect(object, kind)
        }
      } catch (err) {
        if (signal.aborted) return
        if (hasReason(err, 'Expired')) this.#failed(`the watch of ${kind} can't be resumed from ${from}: ${err.message}`)
      }
      this.resumed += 1
      await pause(50)
    }
  }

  #add(event: Happening): void {
    const known = this.#byRevision.get(event.revision)
    if (known !== undefined) this.#failed(`revision ${event.revision} is told twice: ${describe(known)} and ${describe(event)}`)
    this.#byRevision.set(event.revision, event)
    this.#byKind.get(event.kind)?.push(event)
    this.newest = Math.max(this.newest, event.revision)
  }
}

export function happening(kind: Kind, type: Happening['type'], { metadata }: ApiObject): Happening {
  return {
    revision: Number(metadata.resourceVersion),
    kind,
    type,
    key: keyOf(metadata),
    uid: metadata.uid,
    mark: metadata.annotations?.[MARK],
  }
}

export function keyOf({ namespace = '', name }: ApiObject['metadata']): string {
  return `${namespace}/${name}`
}

export function describe({ revision, kind, type, key, mark }: Happening): string {
  return `${revision} ${type} ${kind} ${key}${mark === undefined ? '' : ` (${mark})`}`
}
