import type { ResourceDefinition } from '../api/scheme.ts'
import type { JsonObject } from '../base/json.ts'

/** An object as somebody wrote it down, and where. */
export interface Manifest {
  readonly definition: ResourceDefinition
  /** metadata.name */
  readonly name: string
  /** metadata.namespace; undefined when the manifest leaves it open, and for kinds without one. */
  readonly namespace: string | undefined
  readonly object: ManifestObject
  readonly origin: Origin
}

export interface ManifestObject extends JsonObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: JsonObject & { readonly name: string }
}

/** The place of an object in a file. */
export interface Origin {
  /** As people write it, made printable. */
  readonly file: string
  /** Line of the object, from 1. */
  readonly line: number
  /** Line of a field as messages name it, such as `spec.env[0].name`; of the nearest parent when it isn't there. */
  lineOf(field: string): number
}

/** One thing that is wrong with manifests. */
export interface Problem {
  readonly file: string
  readonly line?: number
  readonly field?: string
  readonly message: string
}

/** All that is wrong with what was read; nothing of it may be used. */
export class ManifestError extends Error {
  override readonly name = 'ManifestError'
  readonly problems: readonly Problem[]

  constructor(problems: readonly Problem[]) {
    super(problems.map(formatProblem).join('\n'))
    this.problems = problems
  }
}

/** `web.yaml:12: spec.replicas: must be a number` */
export function formatProblem({ file, line, field, message }: Problem): string {
  return `${line === undefined ? file : `${file}:${line}`}: ${field === undefined ? '' : `${field}: `}${message}`
}
