import type { ApiObject } from '../api/object.ts'
import { type ApiError, hasReason } from '../api/status.ts'
import { isJsonObject, jsonEqual } from '../base/json.ts'
import type { Client, Ref } from '../client/client.ts'
import { type Manifest, ManifestError, type ManifestObject, type Problem } from './manifest.ts'

export type ApplyOutcome = 'created' | 'configured' | 'unchanged'

/** Fields that another manager wrote and that the manifest has now. */
export interface TakenBack {
  readonly manager: string
  readonly fields: readonly string[]
}

export interface Applied {
  readonly outcome: ApplyOutcome
  readonly object: ApiObject
  readonly takenBack: readonly TakenBack[]
}

export interface ApplyOptions {
  readonly fieldManager: string
  readonly dryRun: boolean
  /** Whether to take fields from any manager. */
  readonly force: boolean
  /** Managers whose fields are taken without force, and told of. */
  readonly yielding: (manager: string) => boolean
  readonly signal?: AbortSignal
}

/** An object with its namespace settled. */
export interface Placed {
  readonly manifest: Manifest
  readonly ref: Ref
  readonly value: ManifestObject
}

/**
 * Settles the namespace of each manifest: its own, else `namespace`. With `only`, those of another namespace are refused,
 * because whoever names a namespace means it.
 */
export function placeManifests(
  manifests: readonly Manifest[],
  options: { readonly namespace: string; readonly only: boolean },
): readonly Placed[] {
  const problems: Problem[] = []
  const placed = manifests.map((manifest): Placed => {
    const { definition, name, object, origin } = manifest
    if (definition.scope === 'Cluster') return { manifest, ref: { name }, value: object }
    const namespace = manifest.namespace ?? options.namespace
    if (options.only && namespace !== options.namespace) {
      const message = `is "${namespace}", which is not the namespace asked for, "${options.namespace}"; leave one of them out`
      problems.push({ file: origin.file, line: origin.lineOf('metadata.namespace'), field: 'metadata.namespace', message })
    }
    return { manifest, ref: { name, namespace }, value: { ...object, metadata: { ...object.metadata, namespace } } }
  })
  if (problems.length > 0) throw new ManifestError(problems)
  return placed
}

/** Server-side apply of one object. `before` is what readLive gave of it. Every failure is an ApiError. */
export async function applyManifest(
  client: Client,
  placed: Placed,
  before: ApiObject | undefined,
  options: ApplyOptions,
): Promise<Applied> {
  const { fieldManager, dryRun, force, yielding, signal } = options
  const resource = client.for(placed.manifest.definition.id)
  const write = (forced: boolean): Promise<ApiObject> =>
    resource.patch(
      placed.ref,
      { type: 'apply', value: placed.value, force: forced },
      { fieldManager, dryRun, fieldValidation: 'Strict', ...(signal !== undefined && { signal }) },
    )
  try {
    const after = await write(force)
    return { outcome: outcomeOf(before, after, dryRun), object: after, takenBack: [] }
  } catch (err) {
    if (!hasReason(err, 'Conflict')) throw err
    const conflicts = conflictsOf(err)
    if (conflicts.length === 0 || !conflicts.every(({ manager }) => yielding(manager))) throw err
    const after = await write(true)
    return { outcome: outcomeOf(before, after, dryRun), object: after, takenBack: conflicts }
  }
}

/** Managers and the fields of theirs that an apply ran into; empty for another sort of conflict. */
export function conflictsOf(err: ApiError): readonly TakenBack[] {
  const fields = new Map<string, string[]>()
  for (const cause of err.status.details?.causes ?? []) {
    const manager = cause.reason === 'FieldManagerConflict' ? /^conflict with "([^"]*)"/.exec(cause.message)?.[1] : undefined
    if (manager === undefined) continue
    const known = fields.get(manager) ?? []
    fields.set(manager, [...known, cause.field.replace(/^\./, '')])
  }
  return [...fields].map(([manager, paths]) => ({ manager, fields: paths }))
}

function outcomeOf(before: ApiObject | undefined, after: ApiObject, dryRun: boolean): ApplyOutcome {
  if (before === undefined || before.metadata.uid !== after.metadata.uid) return 'created'
  // A dry run takes no resourceVersion, so there the content decides.
  const same = dryRun ? jsonEqual(contentOf(before), contentOf(after)) : before.metadata.resourceVersion === after.metadata.resourceVersion
  return same ? 'unchanged' : 'configured'
}

/** What people mean by "the object": without the server's own bookkeeping. */
export function contentOf(object: ApiObject): unknown {
  const { managedFields: _, resourceVersion: __, generation: ___, ...metadata } = object.metadata
  return { ...object, metadata: dropEmpty(metadata) }
}

function dropEmpty(metadata: object): object {
  return Object.fromEntries(
    Object.entries(metadata).filter(
      ([, value]) => !(isJsonObject(value) && Object.keys(value).length === 0) && !(Array.isArray(value) && value.length === 0),
    ),
  )
}
