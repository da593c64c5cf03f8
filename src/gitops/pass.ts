import type { ApiObject } from '../api/object.ts'
import { ApiError, hasReason } from '../api/status.ts'
import { inParallel } from '../base/in-parallel.ts'
import { jsonEqual } from '../base/json.ts'
import { nextTurn } from '../base/turn.ts'
import type { Client, ResourceClient } from '../client/client.ts'
import { type ApplyOutcome, applyManifest, contentOf, type Placed } from '../manifest/apply.ts'
import { findChanges } from '../manifest/changes.ts'
import { validateHere } from '../manifest/local-check.ts'
import type { Manifest, Problem } from '../manifest/manifest.ts'
import { groupByOrder } from '../manifest/order.ts'
import { problemsOf } from '../manifest/problems.ts'
import { idOf, nameOf, parseInventoryId } from './inventory.ts'
import { claimed, isKeptFromPruning, isSameSource, ownerOf, type SourceRef } from './ownership.ts'

/** Writes under way at the same time: enough to share the store's syncs, few enough to leave room for others. */
const PARALLEL = 16

/** Somebody else changed what the manifests say. */
export interface Drift {
  /** As in the inventory. */
  readonly id: string
  /** Empty for an object that is gone. */
  readonly fields: readonly string[]
  /** Field managers that have these fields now. */
  readonly managers: readonly string[]
  readonly missing: boolean
}

export interface PassRequest {
  readonly client: Client
  readonly source: SourceRef
  readonly fieldManager: string
  readonly placed: readonly Placed[]
  /** What is stored now. */
  readonly live: (one: Placed) => ApiObject | undefined
  /** Whether another source still stands behind its labels. */
  readonly sourceExists: (other: SourceRef) => boolean
  /** What was applied before, as in status.inventory. */
  readonly inventory: readonly string[]
  readonly prune: boolean
  /** Applies what is in order although something else is not. */
  readonly partial: boolean
  /** report: differences are told of, and nothing is written. */
  readonly drift: 'restore' | 'report'
  /** These manifests were applied in full before: what differs from them is drift, and not a change of theirs. */
  readonly isRepeated: boolean
  /** What was found in order by earlier passes; kept up to date here. */
  readonly verified: Map<string, Verified>
  /** Called before the first write, with all that may be there afterwards. */
  readonly onInventory: (inventory: readonly string[]) => Promise<void>
  readonly dryRun?: boolean
  readonly signal: AbortSignal
}

/** An object that was as its manifest says, and how to see that neither has changed. */
export interface Verified {
  readonly manifest: Manifest
  readonly mark: string
}

export interface PassOutcome {
  readonly problems: readonly Problem[]
  readonly notes: readonly string[]
  /** What is there now, sorted. */
  readonly inventory: readonly string[]
  readonly applied: readonly { readonly id: string; readonly outcome: ApplyOutcome; readonly object: ApiObject }[]
  readonly drift: readonly Drift[]
  readonly pruned: readonly string[]
}

/**
 * One pass over the manifests of a source. All are checked by the server before the first is stored; a problem with one changes
 * nothing, unless `partial`. Then they are applied, what others need first, and at last what the source no longer names is
 * pruned, if nothing was wrong. Rejects only with what makes going on pointless: the signal's reason, a store that is away.
 */
export async function runPass(request: PassRequest): Promise<PassOutcome> {
  return await new Pass(request).run()
}

class Pass {
  readonly #request: PassRequest
  readonly #problems: Problem[] = []
  readonly #notes: string[] = []
  readonly #applied: { readonly id: string; readonly outcome: ApplyOutcome; readonly object: ApiObject }[] = []
  readonly #drift: Drift[] = []
  readonly #pruned: string[] = []

  constructor(request: PassRequest) {
    this.#request = request
  }

  async run(): Promise<PassOutcome> {
    const { placed, inventory, partial, drift, isRepeated, prune, dryRun = false, onInventory } = this.#request
    const named = new Set(placed.map(idOf))
    const wanted = placed.filter((one) => this.#isFree(one)).map((one) => claimed(one, this.#request.source))
    const open = wanted.filter((one) => !this.#isVerified(one))
    const sound = await this.#check(open, { report: isRepeated && drift === 'report' })
    const isRefused = this.#problems.length > 0 && !partial
    const left = inventory.filter((id) => !named.has(id))
    const isReport = isRepeated && drift === 'report'
    if (!isRefused && !dryRun && !isReport) {
      const union = [...new Set([...inventory, ...wanted.map(idOf)])].sort()
      if (!jsonEqual(union, inventory)) await onInventory(union)
      await this.#apply(sound)
    }
    const mayPrune = prune && this.#problems.length === 0
    if (mayPrune) for (const id of inDeletionOrder(left)) await this.#prune(id)
    const isGone = new Set(this.#pruned)
    const kept = mayPrune ? left.filter((id) => !isGone.has(id) && this.#stays.has(id)) : left
    const there = isRefused ? inventory.filter((id) => named.has(id)) : wanted.map(idOf)
    return {
      problems: this.#problems,
      notes: this.#notes,
      inventory: [...new Set([...kept, ...there])].sort(),
      applied: this.#applied,
      drift: this.#drift,
      pruned: this.#pruned,
    }
  }

  /** Not another source's. */
  #isFree(one: Placed): boolean {
    const { source, live, sourceExists } = this.#request
    const present = live(one)
    const owner = present === undefined ? undefined : ownerOf(present)
    if (owner === undefined || isSameSource(owner, source) || !sourceExists(owner)) return true
    const { file, line } = one.manifest.origin
    const message = `${nameOf(idOf(one))} belongs to ManifestSource ${owner.namespace}/${owner.name}; take it out of one of the two`
    this.#problems.push({ file, line, message })
    return false
  }

  #isVerified(one: Placed): boolean {
    const verified = this.#request.verified.get(idOf(one))
    const present = this.#request.live(one)
    return verified !== undefined && present !== undefined && verified.manifest === one.manifest && verified.mark === markOf(present)
  }

  /** Dry runs, which tell of problems and of drift. Gives those that the server would take. */
  async #check(open: readonly Placed[], { report }: { readonly report: boolean }): Promise<readonly Placed[]> {
    const { isRepeated } = this.#request
    const results = await inParallel(open, PARALLEL, async (one) => {
      await nextTurn()
      this.#request.signal.throwIfAborted()
      try {
        const { object, outcome, managers } = await this.#write(one, true)
        if (isRepeated && outcome !== 'unchanged') this.#drift.push(this.#driftOf(one, object, managers))
        else if (report && outcome === 'unchanged') this.#verify(one, this.#request.live(one))
        return one
      } catch (err) {
        if (!(err instanceof ApiError) || isPassing(err)) throw err
        if (hasReason(err, 'NotFound') && this.#bringsNamespace(one)) return this.#checkHere(one)
        this.#problems.push(...problemsOf(one, err))
        return undefined
      }
    })
    return results.filter((one) => one !== undefined)
  }

  /** In a namespace that comes with it only its schema can be checked. */
  #checkHere(one: Placed): Placed | undefined {
    try {
      validateHere(one)
      return one
    } catch (err) {
      if (!(err instanceof ApiError)) throw err
      this.#problems.push(...problemsOf(one, err))
      return undefined
    }
  }

  #bringsNamespace({ ref }: Placed): boolean {
    return this.#request.placed.some(({ manifest, ref: { name } }) => manifest.definition.kind === 'Namespace' && name === ref.namespace)
  }

  async #apply(sound: readonly Placed[]): Promise<void> {
    const byManifest = new Map(sound.map((one) => [one.manifest, one]))
    for (const group of groupByOrder(sound.map(({ manifest }) => manifest))) {
      await inParallel(group, PARALLEL, async (manifest) => {
        const one = byManifest.get(manifest)
        if (one === undefined) return
        await nextTurn()
        this.#request.signal.throwIfAborted()
        try {
          const { object, outcome } = await this.#write(one, false)
          this.#applied.push({ id: idOf(one), outcome, object })
          this.#verify(one, object)
        } catch (err) {
          if (!(err instanceof ApiError) || isPassing(err)) throw err
          this.#problems.push(...problemsOf(one, err))
        }
      })
      // What comes next may need it.
      if (this.#problems.length > 0 && !this.#request.partial) return
    }
  }

  /** Takes the fields from whoever has them, and tells from whom. */
  async #write(
    one: Placed,
    dryRun: boolean,
  ): Promise<{ readonly object: ApiObject; readonly outcome: ApplyOutcome; readonly managers: readonly string[] }> {
    const { client, fieldManager, live, signal } = this.#request
    const options = { fieldManager, dryRun, force: false, yielding: () => true, signal }
    const { object, outcome, takenBack } = await applyManifest(client, one, live(one), options)
    return { object, outcome, managers: takenBack.map(({ manager }) => manager) }
  }

  #verify(one: Placed, object: ApiObject | undefined): void {
    if (object !== undefined) this.#request.verified.set(idOf(one), { manifest: one.manifest, mark: markOf(object) })
  }

  #driftOf(one: Placed, after: ApiObject, managers: readonly string[]): Drift {
    const before = this.#request.live(one)
    const id = idOf(one)
    if (before === undefined) return { id, fields: [], managers: [], missing: true }
    const fields = findChanges(contentOf(before), contentOf(after)).map(({ field }) => field)
    return { id, fields, managers: managers.length > 0 ? managers : lastManagers(before), missing: false }
  }

  readonly #stays = new Set<string>()

  /** Only what is still this source's. */
  async #prune(id: string): Promise<void> {
    const { client, source, dryRun = false, signal, verified } = this.#request
    const parsed = parseInventoryId(id)
    verified.delete(id)
    if (parsed === undefined) return
    const resource = client.for(parsed.definition.kind) as unknown as ResourceClient<ApiObject>
    try {
      const present = await resource.get(parsed.ref, { signal })
      if (!isSameSource(ownerOf(present), source)) {
        this.#notes.push(`${nameOf(id)} is left alone: it is not this source's any more`)
        return
      }
      if (isKeptFromPruning(present)) {
        this.#stays.add(id)
        this.#notes.push(`${nameOf(id)} is kept: its annotation pmk.dev/prune is disabled`)
        return
      }
      this.#stays.add(id)
      await resource.delete(parsed.ref, { uid: present.metadata.uid, dryRun, signal })
      this.#pruned.push(id)
    } catch (err) {
      if (hasReason(err, 'NotFound')) return
      if (!(err instanceof ApiError) || isPassing(err)) throw err
      this.#stays.add(id)
      this.#notes.push(`${nameOf(id)} could not be pruned: ${err.status.message}`)
    }
  }
}

/** What changes when somebody writes anything but status. */
export function markOf({ metadata }: ApiObject): string {
  const { uid, generation, labels, annotations, deletionTimestamp } = metadata
  return JSON.stringify([uid, generation, deletionTimestamp, labels, annotations])
}

/** Who wrote last, of those that own more than status. */
function lastManagers({ metadata }: ApiObject): readonly string[] {
  const entries = (metadata.managedFields ?? []).filter(({ subresource }) => subresource !== 'status')
  const last = [...entries].sort((a, b) => (a.time ?? '').localeCompare(b.time ?? '')).at(-1)
  return last?.manager === undefined ? [] : [last.manager]
}

/** Not the manifests' fault: to be tried again. */
function isPassing(err: ApiError): boolean {
  const { code } = err.status
  return code === 429 || code >= 500
}

/** What others need goes last. */
function inDeletionOrder(ids: readonly string[]): readonly string[] {
  const rank = (id: string): number => {
    const kind = parseInventoryId(id)?.definition.kind
    return kind === 'Namespace' ? 2 : kind === 'ConfigMap' || kind === 'Secret' ? 1 : 0
  }
  return [...ids].sort((a, b) => rank(a) - rank(b))
}
