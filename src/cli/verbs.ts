import type { Verb } from './verb.ts'

export interface VerbEntry {
  readonly summary: string
  readonly group: VerbGroup
  readonly load: () => Promise<{ readonly verb: Verb }>
}

export type VerbGroup = 'Objects' | 'Processes' | 'Server' | 'Other'

/**
 * Every verb, by the words that call it (`rollout status` is two). Its module is loaded when the verb is run and not before:
 * `pmk get` must not pay for what `pmk apply` needs.
 */
export const verbs: Readonly<Record<string, VerbEntry>> = {
  version: { group: 'Other', summary: 'Show the versions of client and server', load: () => import('./version.ts') },
}
