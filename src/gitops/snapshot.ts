import type { Millis } from '../base/clock.ts'
import type { Problem } from '../manifest/manifest.ts'

/** One file of manifests as it was read. */
export interface SourceFile {
  /** Relative to the source, with `/`, made printable: what errors name. */
  readonly path: string
  readonly text: string
}

/** What a source held at one moment, read whole. */
export interface Snapshot {
  /** A commit, or `sha256:` and the digest of names and contents. Equal revisions hold equal files. */
  readonly revision: string
  /** By path. */
  readonly files: readonly SourceFile[]
  /** Files that can't be used: unreadable, too large, no text. */
  readonly problems: readonly Problem[]
  /** What was passed over and why, for people: submodules, links that lead out of the repository. */
  readonly notes: readonly string[]
}

/** Why nothing could be read. Reasons of the condition Ready. */
export type FetchFailure =
  | 'PathNotFound'
  | 'PathUnreadable'
  | 'NoManifests'
  | 'TooLarge'
  | 'RemoteUnreachable'
  | 'AuthenticationFailed'
  | 'RefNotFound'
  | 'VerificationFailed'
  | 'GitFailed'
  | 'SecretNotFound'

export type Fetched =
  | { readonly type: 'snapshot'; readonly snapshot: Snapshot }
  /** Files are being written: look again after a moment. */
  | { readonly type: 'unsettled'; readonly retryAfter: Millis; readonly path: string }
  /** Nothing is known of what the source holds: nothing may be changed for it, and above all nothing be pruned. */
  | { readonly type: 'failed'; readonly reason: FetchFailure; readonly message: string }

/** Where manifests come from. One for each ManifestSource and spec; cheap to call when nothing has changed. */
export interface ManifestOrigin {
  /** Failures are values; it only throws the signal's reason. */
  fetch(signal: AbortSignal): Promise<Fetched>
  /**
   * Tells of possible changes as soon as it knows, as often as it likes, until the signal. Where the host can't tell, the
   * interval of the source is what finds them. `degraded`: why it can't tell, if so.
   */
  watch(onChange: () => void, signal: AbortSignal): { readonly degraded: () => string | undefined }
  /** Gives back what it keeps on disk; the source is gone. */
  discard(): Promise<void>
}
