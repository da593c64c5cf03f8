import type { KeyRange } from './level-keys.ts'

export type Operation =
  | { readonly type: 'put'; readonly key: string; readonly value: string }
  | { readonly type: 'del'; readonly key: string }

export type Entry = readonly [key: string, value: string]

/** What the durable store needs of an ordered key-value file. Keys are ordered by their UTF-8 bytes. */
export interface Disk {
  /** Where it is, for messages. */
  readonly path: string
  get(key: string): Promise<string | undefined>
  /** Pages of one snapshot, taken when the iteration starts. */
  entries(range: KeyRange): AsyncIterable<readonly Entry[]>
  keys(range: KeyRange): AsyncIterable<readonly string[]>
  /** All of it or nothing, and on the disk once it resolves. When it rejects, either may be so until `reopen`. */
  write(operations: readonly Operation[]): Promise<void>
  /** Reads again what is on the disk. May be tried again after it failed. */
  reopen(): Promise<void>
  close(): Promise<void>
}
