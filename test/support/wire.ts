import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'

export interface WireRequest {
  readonly method: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

export interface WireAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** What came of the body before it ended, or before enough was read. */
  readonly text: string
  readonly complete: boolean
}

export interface WireOptions {
  /** Milliseconds after which there must be an answer. */
  readonly within: number
  /** Milliseconds after which a body that still goes on, such as that of a watch, is let go. Default: never. */
  readonly readFor?: number
}

/** One exchange on a connection of its own over a unix socket. Rejects when there is no whole answer in time. */
export function exchange(
  socketPath: string,
  { method, path, headers = {}, body }: WireRequest,
  { within, readFor }: WireOptions,
): Promise<WireAnswer> {
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  return new Promise((resolve, reject) => {
    const request = httpRequest({ socketPath, method, path, headers: { ...length, ...headers }, agent: false })
    let letGo: NodeJS.Timeout | undefined
    const tooLate = setTimeout(() => request.destroy(new Error(`no whole answer within ${within / 1000} s`)), within)
    const done = (): void => {
      clearTimeout(tooLate)
      clearTimeout(letGo)
    }
    let answered = false
    request.on('response', (response) => {
      answered = true
      const chunks: Buffer[] = []
      const finish = (complete: boolean): void => {
        done()
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(chunks).toString(), complete })
      }
      if (readFor !== undefined) {
        letGo = setTimeout(() => {
          finish(false)
          request.destroy()
        }, readFor)
      }
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', (err) => {
        done()
        reject(err)
      })
      response.on('end', () => finish(response.complete))
    })
    request.on('error', (err) => {
      // A server that refuses a body need not read it: its answer counts, not the end of the connection.
      if (answered) return
      done()
      reject(err)
    })
    request.end(body)
  })
}
