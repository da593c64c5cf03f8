import { createHash } from 'node:crypto'
import { canonicalJson } from '../base/json.ts'
import type { ConfigMap, ProcessTemplate, Secret } from '../generated/types.ts'

/** A Secret or ConfigMap that the environment of a program refers to; one key of it, or all. */
export interface DataReference {
  readonly kind: 'Secret' | 'ConfigMap'
  readonly name: string
  readonly key?: string
  readonly optional: boolean
}

/** Looks up what a reference names, in the namespace of the Process. */
export type ReadData = (kind: DataReference['kind'], name: string) => Secret | ConfigMap | undefined

export interface LaunchData {
  /** Undefined when nothing is referred to. */
  readonly fingerprint: string | undefined
  /** Something is missing that isn't optional. */
  readonly incomplete: boolean
}

export function dataReferences({ env = [], envFrom = [] }: Pick<ProcessTemplate, 'env' | 'envFrom'>): readonly DataReference[] {
  const references: DataReference[] = []
  for (const { valueFrom } of env) {
    if (valueFrom?.secretKeyRef !== undefined) references.push({ kind: 'Secret', ...valueFrom.secretKeyRef })
    if (valueFrom?.configMapKeyRef !== undefined) references.push({ kind: 'ConfigMap', ...valueFrom.configMapKeyRef })
  }
  for (const { secretRef, configMapRef } of envFrom) {
    if (secretRef !== undefined) references.push({ kind: 'Secret', ...secretRef })
    if (configMapRef !== undefined) references.push({ kind: 'ConfigMap', ...configMapRef })
  }
  return references
}

/**
 * A fingerprint of the data that a program starts with. It is shown in Revisions, to people who may not read the Secret:
 * hence the uid of the Secret goes into it, which nobody else knows, so that trying likely values tells them nothing.
 */
export function launchDataOf(template: Pick<ProcessTemplate, 'env' | 'envFrom'>, read: ReadData): LaunchData {
  const references = dataReferences(template)
  if (references.length === 0) return { fingerprint: undefined, incomplete: false }
  let incomplete = false
  const parts = references.map(({ kind, name, key, optional }) => {
    const object = read(kind, name)
    const data = object === undefined ? undefined : key === undefined ? allOf(object) : oneOf(object, key)
    incomplete ||= data === undefined && !optional
    return [kind, name, key, kind === 'Secret' ? object?.metadata.uid : undefined, data]
  })
  return { fingerprint: createHash('sha256').update(canonicalJson(parts)).digest('hex').slice(0, 16), incomplete }
}

function allOf(object: Secret | ConfigMap): unknown {
  return { data: object.data, binaryData: 'binaryData' in object ? object.binaryData : undefined }
}

function oneOf(object: Secret | ConfigMap, key: string): string | undefined {
  return object.data?.[key] ?? ('binaryData' in object ? object.binaryData?.[key] : undefined)
}
