import type { Client } from '../../src/client/client.ts'

/** One command and what has to come of it: the same for every version of kubectl and both states of its cache. */
export interface Row {
  /** What follows `kubectl`, split at blanks; single quotes keep blanks together. */
  readonly run: string
  /** Written to the working directory beforehand. */
  readonly files?: Readonly<Record<string, string>>
  readonly stdin?: string
  readonly env?: Readonly<Record<string, string>>
  /** Both streams, one after the other: a text is all of it; expressions have to be found in it, all of them. */
  readonly prints?: string | RegExp | readonly RegExp[]
  /** Every version prints the same, with either cache. */
  readonly same?: true
  /** Exit code; 0 if not given. */
  readonly code?: number
  /** Minor versions which the command is for. Another text for others is another row. */
  readonly from?: number
  readonly to?: number
  /**
   * For commands that go on: once this was printed, that is done. After the last one the command is ended, unless a code is
   * given: then it ends by itself.
   */
  readonly follow?: readonly { readonly when: RegExp; readonly act?: (lane: Acting) => Promise<unknown> }[]
}

/** What rows may do themselves. */
export interface Acting {
  /** Of the server, past its HTTP interface. */
  readonly client: Client
  readonly fetch: (url: string) => Promise<string>
  /** What the followed command printed. */
  readonly printed: string
}

/** The words of a command line. */
export function wordsOf(line: string): readonly string[] {
  return [...line.matchAll(/(?:'[^']*'|[^\s'])+/g)].map(([word]) => word.replaceAll("'", ''))
}
