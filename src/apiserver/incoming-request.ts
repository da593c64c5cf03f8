import type { IncomingHttpHeaders } from 'node:http'
import type { Admit, UserInfo } from '../registry/registry.ts'
import type { Granted } from './access-control.ts'
import type { AuditNotes } from './audit.ts'
import type { Cancellation } from './limits.ts'
import type { Query } from './query.ts'
import type { Wish } from './request-attributes.ts'
import type { RawBody } from './request-body.ts'
import type { ApiRequest } from './route.ts'

export interface IncomingRequestOptions {
  readonly wish: Wish
  readonly headers: IncomingHttpHeaders
  readonly bytes: Uint8Array | undefined
  readonly granted: Granted
  readonly cancellation: Cancellation
  readonly warn: (text: string) => void
  readonly note: (notes: AuditNotes) => void
}

/** A class for the sake of `signal`: to make an object with a getter of its own takes as long as all the rest of a request's way to its route. */
export class IncomingRequest implements ApiRequest {
  readonly method: string
  readonly path: string
  readonly query: Query
  readonly parameters: Readonly<Record<string, string>>
  readonly headers: IncomingHttpHeaders
  readonly body: RawBody
  readonly user: UserInfo
  readonly admit: Admit
  readonly warn: (text: string) => void
  readonly note: (notes: AuditNotes) => void
  readonly #cancellation: Cancellation

  constructor({ wish, headers, bytes, granted, cancellation, warn, note }: IncomingRequestOptions) {
    this.method = wish.method
    this.path = wish.path
    this.query = wish.query
    this.parameters = wish.parameters
    this.headers = headers
    this.body = { contentType: headers['content-type'], bytes }
    this.user = granted.user
    this.admit = granted.admit
    this.warn = warn
    this.note = note
    this.#cancellation = cancellation
  }

  /** Made when it is asked for. */
  get signal(): AbortSignal {
    return this.#cancellation.signal
  }
}
