import type { ApiObject } from '../api/object.ts'
import { ApiError, hasReason } from '../api/status.ts'
import { inParallel, WRITES } from '../base/in-parallel.ts'
import { nextTurn } from '../base/turn.ts'
import type { Client, ResourceClient } from '../client/client.ts'
import { diffManifest, type ManifestDiff } from '../manifest/diff.ts'
import { orAbsent } from '../manifest/live.ts'
import { validateHere } from '../manifest/local-check.ts'
import type { Problem } from '../manifest/manifest.ts'
import { problemsOf } from '../manifest/problems.ts'
import type { Desired } from './desired.ts'
import { isPassing } from './failures.ts'
import { nameOf, parseInventoryId } from './inventory.ts'
import { isKeptFromPruning, isSameSource, ownerOf, type SourceRef } from './ownership.ts'
import { fieldManagerOf } from './well-known.ts'

export interface PreviewRequest {
  readonly client: Client
  readonly source: SourceRef
  readonly desired: readonly Desired[]
  /** Whether another source keeps this object. */
  readonly keeps: (other: SourceRef, id: string) => boolean
  /** What was applied before. */
  readonly inventory: readonly string[]
  /** False: there is more in the source than `desired`. */
  readonly isWhole: boolean
  readonly prune: boolean
  readonly signal: AbortSignal
}

/** What a pass would do. */
export interface Preview {
  /** Of each object, in the order of the files; `after` is what the server would store. */
  readonly diffs: readonly ManifestDiff[]
  readonly problems: readonly Problem[]
  /** As in the inventory. */
  readonly pruned: readonly string[]
  /** What stays although it is no longer named, and why. */
  readonly notes: readonly string[]
}

/** Asks the server what a pass over these manifests would do; nothing is stored. Throws what makes going on pointless. */
export async function previewPass(request: PreviewRequest): Promise<Preview> {
  const { desired, inventory, isWhole, prune, signal } = request
  const problems: Problem[][] = desired.map(() => [])
  const diffs = await inParallel(desired, WRITES, async (one, at) => {
    await nextTurn()
    signal.throwIfAborted()
    try {
      return await previewOne(request, one)
    } catch (err) {
      if (err instanceof Contested) problems[at] = [err.problem]
      else if (!(err instanceof ApiError) || isPassing(err)) throw err
      else problems[at] = [...problemsOf(one.placed, err)]
      return undefined
    }
  })
  const found = problems.flat()
  const named = new Set(desired.map(({ id }) => id))
  const left = prune && isWhole && found.length === 0 ? inventory.filter((id) => !named.has(id)) : []
  const fates = await inParallel(left, WRITES, (id) => fateOf(request, id))
  return {
    diffs: diffs.filter((diff) => diff !== undefined),
    problems: found,
    pruned: left.filter((_, at) => fates[at] === 'pruned'),
    notes: fates.flatMap((fate) => (fate === 'pruned' || fate === 'gone' ? [] : [fate])),
  }
}

class Contested extends Error {
  override readonly name = 'Contested'
  readonly problem: Problem

  constructor(problem: Problem) {
    super(problem.message)
    this.problem = problem
  }
}

async function previewOne({ client, source, desired, keeps, signal }: PreviewRequest, { id, placed }: Desired): Promise<ManifestDiff> {
  const { manifest, ref } = placed
  const before = await orAbsent((client.for(manifest.definition.id) as unknown as ResourceClient<ApiObject>).get(ref, { signal }))
  const owner = before && ownerOf(before)
  if (owner !== undefined && !isSameSource(owner, source) && keeps(owner, id)) {
    const { file, line } = manifest.origin
    throw new Contested({ file, line, message: `${nameOf(id)} is kept by ManifestSource ${owner.namespace}/${owner.name}` })
  }
  const options = { fieldManager: fieldManagerOf(source), force: false, yielding: () => true, signal }
  try {
    return await diffManifest(client, placed, before, options)
  } catch (err) {
    const comes = desired.some(({ placed: other }) => other.manifest.definition.kind === 'Namespace' && other.ref.name === ref.namespace)
    if (!comes || !hasReason(err, 'NotFound')) throw err
    // In a namespace that comes with it only its schema can be checked.
    validateHere(placed)
    return { placed, before: undefined, after: placed.value as unknown as ApiObject, fields: [] }
  }
}

/** What becomes of an object that isn't named any more: `pruned`, `gone` already, or why it stays. */
async function fateOf({ client, source, signal }: PreviewRequest, id: string): Promise<string> {
  const parsed = parseInventoryId(id)
  if (parsed === undefined) return `${id} is left alone: this version knows no such kind`
  const present = await orAbsent((client.for(parsed.definition.id) as unknown as ResourceClient<ApiObject>).get(parsed.ref, { signal }))
  if (present === undefined) return 'gone'
  if (!isSameSource(ownerOf(present), source)) return `${nameOf(id)} is left alone: it is not this source's any more`
  return isKeptFromPruning(present) ? `${nameOf(id)} is kept: its annotation pmk.dev/prune is disabled` : 'pruned'
}
