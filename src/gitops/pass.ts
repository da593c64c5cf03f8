import type { ApiObject } from '../api/object.ts'
import { ApiError, hasReason } from '../api/status.ts'
import { inParallel, WRITES } from '../base/in-parallel.ts'
import { jsonEqual } from '../base/json.ts'
import { nextTurn } from '../base/turn.ts'
import type { Client } from '../client/client.ts'
import { type Applied, applyManifest, conflictsOf, type Placed } from '../manifest/apply.ts'
import { validateHere } from '../manifest/local-check.ts'
import type { Problem } from '../manifest/manifest.ts'
import { rankOf } from '../manifest/order.ts'
import { problemsOf } from '../manifest/problems.ts'
import { type Desired, idsOf } from './desired.ts'
import { type Drift, driftOf } from './drift.ts'
import { isNamespaceGoing, isPassing } from './failures.ts'
import { isListed, nameOf } from './inventory.ts'
import { isSameSource, ownerOf, type SourceRef } from './ownership.ts'
import { releaseObjects, removeObjects } from './removal.ts'
import type { Verified } from './verified.ts'
import { fieldManagerOf } from './well-known.ts'

export interface PassRequest {
  readonly client: Client
  readonly source: SourceRef
  readonly desired: readonly Desired[]
  /** What a cache has of it, which may be behind: only asked whether something that was in order still is. */
  readonly cached: (one: Desired) => ApiObject | undefined
  /** Whether another source keeps this object: it exists, and has it in its inventory. */
  readonly keeps: (other: SourceRef, id: string) => boolean
  /** The other source whose field manager this is. */
  readonly sourceOfManager: (manager: string) => SourceRef | undefined
  /** What was applied before, as in status.inventory. */
  readonly inventory: readonly string[]
  /** False: there is more in the source than `desired`, so nothing is known to have gone from it. */
  readonly isWhole: boolean
  /** What the source no longer names is deleted; else it is given free. */
  readonly prune: boolean
  /** Applies what is in order although something else is not. */
  readonly partial: boolean
  /** The same manifests were applied before: an object of the inventory that differs from them was changed by somebody. */
  readonly isRepeated: boolean
  /** False: what somebody changed is told of, and left so. */
  readonly restore: boolean
  readonly verified: Verified
  /** Called before the first write, with all that may be there afterwards. */
  readonly onWrites: (inventory: readonly string[]) => Promise<void>
  readonly signal: AbortSignal
}

/** Written in this pass. */
export interface AppliedObject extends Applied {
  /** As in the inventory. */
  readonly id: string
}

export interface PassOutcome {
  readonly problems: readonly Problem[]
  readonly notes: readonly string[]
  /** What is there now, sorted. The very same list as before when nothing came or went. */
  readonly inventory: readonly string[]
  readonly applied: readonly AppliedObject[]
  readonly drift: readonly Drift[]
  readonly pruned: readonly string[]
  /** Objects that can't be applied before they, or their namespace, are gone. */
  readonly going: readonly string[]
  /** Objects that another source keeps. */
  readonly contested: readonly string[]
}

/**
 * One pass over the manifests of a source. All are checked by the server before the first is stored; a problem with one changes
 * nothing, unless `partial`. Then they are applied, what others need first, and at last what the source no longer names is
 * removed, if nothing was wrong. Rejects only with what makes going on pointless: the signal's reason, a store that is away.
 */
export async function runPass(request: PassRequest): Promise<PassOutcome> {
  return await new Pass(request).run()
}

/** Found by its check to be in need of a write. */
interface Open {
  readonly one: Desired
  readonly before: ApiObject | undefined
}

class Pass {
  readonly #request: PassRequest
  /** By the place of their object in `desired`, so that the same problems are told in the same order. */
  readonly #problems = new Map<string, readonly Problem[]>()
  readonly #notes: string[] = []
  readonly #applied: AppliedObject[] = []
  readonly #drift = new Map<string, Drift>()
  readonly #pruned: string[] = []
  readonly #going = new Set<string>()
  readonly #contested = new Set<string>()
  /** Of the inventory, not named, and still there. */
  readonly #stays: string[] = []

  constructor(request: PassRequest) {
    this.#request = request
  }

  async run(): Promise<PassOutcome> {
    const { desired, inventory, partial, isWhole, cached, verified, onWrites } = this.#request
    const unsure = desired.filter((one) => !verified.holds(one, cached(one)))
    const open = await this.#check(unsure)
    const isRefused = !partial && (this.#problems.size > 0 || !isWhole)
    if (!isRefused && open.length > 0) {
      await onWrites(sortedLike(inventory, [...inventory, ...open.map(({ one }) => one.id)]))
      await this.#apply(open)
    }
    const { set: named } = idsOf(desired)
    const left = inventory.filter((id) => !named.has(id))
    if (isWhole && this.#problems.size === 0 && this.#going.size === 0) await this.#remove(left)
    else this.#stays.push(...left)
    return {
      problems: this.#problems.size === 0 ? [] : desired.flatMap(({ id }) => this.#problems.get(id) ?? []),
      notes: this.#notes,
      inventory: this.#inventory(),
      applied: this.#applied,
      drift: this.#drift.size === 0 ? [] : idsOf(desired).sorted.flatMap((id) => this.#drift.get(id) ?? []),
      pruned: this.#pruned,
      going: [...this.#going].sort(),
      contested: [...this.#contested].sort(),
    }
  }

  #inventory(): readonly string[] {
    const { desired, inventory, verified } = this.#request
    const there = idsOf(desired).sorted.filter(
      (id) => (isListed(inventory, id) || verified.markOf(id) !== undefined) && !this.#contested.has(id),
    )
    if (this.#stays.length === 0) return jsonEqual(there, inventory) ? inventory : there
    return sortedLike(inventory, [...this.#stays, ...there])
  }

  /** Dry runs, which tell of problems and of drift. Gives what is to be written. */
  async #check(unsure: readonly Desired[]): Promise<readonly Open[]> {
    const results = await inParallel(unsure, WRITES, async (one): Promise<Open | undefined> => {
      await nextTurn()
      this.#request.signal.throwIfAborted()
      try {
        return await this.#checkOne(one)
      } catch (err) {
        this.#fail(one, err)
        return undefined
      }
    })
    return results.filter((open) => open !== undefined)
  }

  async #checkOne(one: Desired): Promise<Open | undefined> {
    const { isRepeated, restore, inventory, verified } = this.#request
    const before = await this.#read(one)
    if (before?.metadata.deletionTimestamp !== undefined) {
      this.#going.add(one.id)
      return undefined
    }
    if (before !== undefined && !this.#isFree(one, before)) return undefined
    let checked: Applied
    try {
      checked = await this.#write(one, before, true)
    } catch (err) {
      if (!hasReason(err, 'NotFound') || !this.#bringsNamespace(one.placed)) throw err
      // In a namespace that comes with it only its schema can be checked.
      validateHere(one.placed)
      return { one, before }
    }
    if (before !== undefined && jsonEqual(before, checked.object)) {
      verified.add(one, before)
      return undefined
    }
    verified.delete(one.id)
    const drift = isRepeated && isListed(inventory, one.id) ? driftOf(one.id, before, checked.object, managersIn(checked)) : undefined
    if (drift === undefined) return { one, before }
    this.#drift.set(one.id, drift)
    return restore ? { one, before } : undefined
  }

  async #apply(open: readonly Open[]): Promise<void> {
    const ranks = new Map<number, Open[]>()
    for (const each of open) {
      const rank = rankOf(each.one.placed.manifest.definition.kind)
      const group = ranks.get(rank)
      if (group === undefined) ranks.set(rank, [each])
      else group.push(each)
    }
    for (const [, group] of [...ranks].sort(([a], [b]) => a - b)) {
      await inParallel(group, WRITES, async ({ one, before }) => {
        await nextTurn()
        this.#request.signal.throwIfAborted()
        try {
          const applied = await this.#write(one, before, false)
          this.#applied.push({ id: one.id, ...applied })
          this.#request.verified.add(one, applied.object)
        } catch (err) {
          this.#fail(one, err)
        }
      })
      // What comes next may need it.
      if (this.#problems.size > 0 && !this.#request.partial) return
    }
  }

  /** Takes the fields from whoever has them, but for another source that keeps the object, and tells from whom. */
  async #write({ id, placed }: Desired, before: ApiObject | undefined, dryRun: boolean): Promise<Applied> {
    const { client, source, signal } = this.#request
    const yielding = (manager: string): boolean => this.#keeperOf(manager, id) === undefined
    return await applyManifest(client, placed, before, { fieldManager: fieldManagerOf(source), dryRun, force: false, yielding, signal })
  }

  async #read({ placed: { manifest, ref } }: Desired): Promise<ApiObject | undefined> {
    try {
      return await this.#request.client.for(manifest.definition.id).get(ref, { signal: this.#request.signal })
    } catch (err) {
      if (hasReason(err, 'NotFound')) return undefined
      throw err
    }
  }

  /** Not another source's. */
  #isFree(one: Desired, present: ApiObject): boolean {
    const { source, keeps } = this.#request
    const owner = ownerOf(present)
    if (owner === undefined || isSameSource(owner, source) || !keeps(owner, one.id)) return true
    this.#contest(one, owner)
    return false
  }

  /** The other source that keeps the object, if the manager is one's: found out when both come to it at the same moment. */
  #keeperOf(manager: string, id: string): SourceRef | undefined {
    const { source, keeps, sourceOfManager } = this.#request
    const other = sourceOfManager(manager)
    return other !== undefined && !isSameSource(other, source) && keeps(other, id) ? other : undefined
  }

  #contest({ id, placed }: Desired, { namespace, name }: SourceRef): void {
    const { file, line } = placed.manifest.origin
    const { source } = this.#request
    const message = `${nameOf(id)} is kept by ManifestSource ${namespace}/${name}, and ${source.namespace}/${source.name} names it, too; take it out of one of the two`
    this.#contested.add(id)
    this.#problems.set(id, [{ file, line, message }])
  }

  /** Takes down what is wrong with an object; throws on what is wrong with the server. */
  #fail(one: Desired, err: unknown): void {
    if (!(err instanceof ApiError) || isPassing(err)) throw err
    if (isNamespaceGoing(err)) {
      this.#going.add(one.id)
      return
    }
    const keeper = conflictsOf(err)
      .map(({ manager }) => this.#keeperOf(manager, one.id))
      .find((other) => other !== undefined)
    if (keeper !== undefined) this.#contest(one, keeper)
    else this.#problems.set(one.id, problemsOf(one.placed, err))
  }

  #bringsNamespace({ ref }: Placed): boolean {
    return this.#request.desired.some(
      ({ placed: { manifest, ref: other } }) => manifest.definition.kind === 'Namespace' && other.name === ref.namespace,
    )
  }

  /** What the source no longer names. */
  async #remove(left: readonly string[]): Promise<void> {
    const { client, source, signal, prune, verified } = this.#request
    if (left.length === 0) return
    for (const id of left) verified.delete(id)
    if (!prune) {
      await releaseObjects({ client, source, signal }, left)
      return
    }
    const removed = await removeObjects({ client, source, signal }, left)
    for (const id of left) {
      const { state, deleted, note } = removed.get(id) ?? { state: 'kept', deleted: false }
      if (deleted) this.#pruned.push(id)
      if (note !== undefined) this.#notes.push(note)
      if (state === 'kept') this.#stays.push(id)
    }
  }
}

/** Sorted and without doubles; `before` itself when it is the same. */
function sortedLike(before: readonly string[], ids: readonly string[]): readonly string[] {
  if (ids.length === before.length && ids.every((id, index) => id === before[index])) return before
  const sorted = [...new Set(ids)].sort()
  return jsonEqual(sorted, before) ? before : sorted
}

function managersIn({ takenBack }: Applied): readonly string[] {
  return takenBack.map(({ manager }) => manager)
}
