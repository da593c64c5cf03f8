import { changedFields } from '../api/launch-fields.ts'
import type { ApiObject } from '../api/object.ts'
import { isJsonObject } from '../base/json.ts'
import type { Client } from '../client/client.ts'
import type { Process } from '../generated/types.ts'
import { type ApplyOptions, applyManifest, contentOf, type Placed } from './apply.ts'
import { findChanges } from './changes.ts'
import { resolveField, valueAt } from './field-path.ts'

/** What applying one object would change. */
export interface ManifestDiff {
  readonly placed: Placed
  readonly before: ApiObject | undefined
  readonly after: ApiObject
  /** Empty for a new object and for an unchanged one. */
  readonly fields: readonly ChangedField[]
}

export interface ChangedField {
  readonly path: string
  /** Whether running programs must be started anew to take it up. */
  readonly restart: boolean
}

/** A Process that applying would restart, and what for. */
export interface Restart {
  readonly namespace: string
  readonly name: string
  /** `spec.command`, or `ConfigMap common`. */
  readonly because: readonly string[]
}

/** Asks the server what an apply would make of the object; nothing is stored. Every failure is an ApiError. */
export async function diffManifest(
  client: Client,
  placed: Placed,
  before: ApiObject | undefined,
  options: Omit<ApplyOptions, 'dryRun'>,
): Promise<ManifestDiff> {
  const { object: after } = await applyManifest(client, placed, before, { ...options, dryRun: true })
  return { placed, before, after, fields: before === undefined ? [] : fieldsOf(before, after) }
}

function fieldsOf(before: ApiObject, after: ApiObject): readonly ChangedField[] {
  const others = findChanges(contentOf(before), contentOf(after)).map(({ field }) => ({ path: field, restart: false }))
  if (before.kind !== 'Process') return others
  const inSpec = changedFields((before as Process).spec, (after as Process).spec)
  return [...others.filter(({ path }) => !path.startsWith('spec')), ...inSpec.flatMap((field) => spelledOut(field, before, after))]
}

/** A group of fields of which one side has defaults only is told field by field. */
function spelledOut(field: ChangedField, before: ApiObject, after: ApiObject): readonly ChangedField[] {
  const path = resolveField(after, field.path)
  const from = valueAt(before, path)
  const to = valueAt(after, path)
  if (!isJsonObject(from) || !isJsonObject(to)) return [field]
  return findChanges(from, to, path).map((change) => ({ path: change.field, restart: field.restart }))
}

/**
 * The Processes that would restart: those of which a launch field changes, and those that take their environment from a
 * ConfigMap or Secret that changes. A Process that is not wanted to run has nothing to restart.
 */
export async function findRestarts(client: Client, diffs: readonly ManifestDiff[], signal: AbortSignal): Promise<readonly Restart[]> {
  const restarts = new Map<string, Restart>()
  const add = (process: Process, because: readonly string[]): void => {
    const { namespace = '', name } = process.metadata
    const known = restarts.get(`${namespace}/${name}`)
    if (because.length > 0 && isWanted(process)) {
      restarts.set(`${namespace}/${name}`, { namespace, name, because: [...(known?.because ?? []), ...because] })
    }
  }
  for (const { before, after, fields } of diffs) {
    if (before?.kind !== 'Process' || !isWanted(before as Process)) continue
    add(
      after as Process,
      fields.filter(({ restart }) => restart).map(({ path }) => path),
    )
  }
  const sources = diffs.filter(
    ({ before, fields }) => before !== undefined && fields.some(({ path }) => /^(data|binaryData|stringData)\b/.test(path)),
  )
  for (const namespace of new Set(sources.map(({ after }) => after.metadata.namespace ?? ''))) {
    const { items } = await client.for('Process').list({ namespace, signal })
    for (const process of items) {
      const used = sources.filter(
        ({ after }) => after.metadata.namespace === namespace && refersTo(process.spec, after.kind, after.metadata.name),
      )
      add(
        process,
        used.map(({ after }) => `${after.kind} ${after.metadata.name}`),
      )
    }
  }
  return [...restarts.values()]
}

function isWanted({ spec }: Process): boolean {
  return spec.desiredState !== 'Stopped' && spec.replicas > 0 && !spec.suspend
}

/** Whether the environment of a spec comes from this ConfigMap or Secret. */
function refersTo(spec: object, kind: string, name: string): boolean {
  const [whole, key] = kind === 'Secret' ? ['secretRef', 'secretKeyRef'] : ['configMapRef', 'configMapKeyRef']
  const { env, envFrom } = spec as { readonly env?: unknown; readonly envFrom?: unknown }
  const names = (value: unknown): boolean => isJsonObject(value) && value.name === name
  const items = (list: unknown): readonly unknown[] => (Array.isArray(list) ? list : [])
  return (
    items(envFrom).some((source) => isJsonObject(source) && names(source[whole])) ||
    items(env).some((variable) => isJsonObject(variable) && isJsonObject(variable.valueFrom) && names(variable.valueFrom[key]))
  )
}
