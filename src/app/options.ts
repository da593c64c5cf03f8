import type { LogLevel } from '../base/log.ts'
import type { FollowedDirectory } from './followed-directories.ts'

/** What `pmk server run` can be told. */
export interface ServerOptions {
  readonly dataDir: string
  readonly nodeName: string
  readonly logLevel: LogLevel
  /** For people at a terminal, instead of JSON. */
  readonly readableLog: boolean
  /** What becomes of the processes when the server ends: they go on, or are stopped first, in order. */
  readonly onExit: 'keep' | 'stop'
  /** Begin with an empty store also where one has gone whose Instances may still run. */
  readonly newStore: boolean
  /** Bytes of the audit log, older files included; 0: none is written. */
  readonly auditLogSize: number
  /** Where clients are served with TLS; the port may be 0 for any free one, -1 for none. */
  readonly bind: string
  readonly port: number
  /** Further host names and addresses by which clients call this server. */
  readonly tlsNames: readonly string[]
  /** Directories of manifests to keep applied. */
  readonly manifests: readonly FollowedDirectory[]
}
