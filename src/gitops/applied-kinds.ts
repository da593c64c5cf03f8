import type { Kind } from '../api/object.ts'
import { keptDefinitions, type ResourceDefinition } from '../api/scheme.ts'

/** Made by pmk itself. */
const NOT_APPLIED: ReadonlySet<Kind> = new Set(['Instance', 'Revision', 'Event', 'Node'])

/** Kinds that a source may apply. */
export const appliedDefinitions: readonly ResourceDefinition[] = keptDefinitions.filter(({ kind }) => !NOT_APPLIED.has(kind))
