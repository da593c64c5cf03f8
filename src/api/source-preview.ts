import type { ApiObject } from './object.ts'

/** What a pass over a ManifestSource would do now: the answer to GET …/manifestsources/NAME/preview. Values of Secrets are hidden. */
export interface SourcePreview {
  readonly kind: 'SourcePreview'
  readonly apiVersion: 'pmk.dev/v1'
  /** What the source holds now; absent when it can't be read. */
  readonly revision?: string
  /** Objects that would be created or changed. */
  readonly changes: readonly PreviewedChange[]
  /** As in status.inventory. */
  readonly pruned: readonly string[]
  /** Processes that would be started anew, and for which fields or objects. */
  readonly restarts: readonly { readonly namespace: string; readonly name: string; readonly because: readonly string[] }[]
  /** What is wrong, with file and line; unless `partial` nothing would be changed then. */
  readonly problems: readonly string[]
  readonly partial: boolean
  readonly notes: readonly string[]
}

export interface PreviewedChange {
  /** Absent: it would be created. */
  readonly before?: ApiObject
  readonly after: ApiObject
  readonly fields: readonly { readonly path: string; readonly restart: boolean }[]
}

/** Reads the source and asks what would change; stores nothing. Problems of the source are values; throws ApiError for the rest. */
export type SourcePreviewer = (source: ApiObject, signal: AbortSignal) => Promise<SourcePreview>
