import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { now } from './measure.ts'

/** Where a server is: ours on its socket, etcd on a port. */
export type Target = { readonly socketPath: string } | { readonly host: string; readonly port: number }

export interface Sent {
  readonly method: string
  readonly path: string
  readonly body?: string
  readonly type?: string
}

/**
 * Requests with nothing around them: the client runs on the same processors as what it measures, so it does as little as
 * Node allows. As many connections as there are requests at once, all kept.
 */
export class Http {
  readonly #target: Target
  readonly #agent = new Agent({ keepAlive: true, maxFreeSockets: 4_096 })

  constructor(target: Target) {
    this.#target = target
  }

  /** The body of an answer below 300; an Error else. */
  send(sent: Sent): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#open(sent, this.#agent, reject, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.once('error', reject)
        response.once('end', () => {
          const body = Buffer.concat(chunks)
          if ((response.statusCode ?? 0) < 300) resolve(body)
          else reject(new Error(`${sent.method} ${sent.path}: ${response.statusCode} ${body.toString().slice(0, 300)}`))
        })
      })
    })
  }

  async json<T>(sent: Sent): Promise<T> {
    return JSON.parse((await this.send(sent)).toString()) as T
  }

  /** A stream of lines on a connection of its own. Resolves with the answer's head; the function ends it. */
  lines(sent: Sent, onLine: (line: Buffer, at: number) => void): Promise<() => void> {
    return new Promise((resolve, reject) => {
      const out = this.#open(sent, false, reject, (response) => {
        if (response.statusCode !== 200) reject(new Error(`${sent.method} ${sent.path}: ${response.statusCode}`))
        let rest: Buffer = Buffer.alloc(0)
        response.on('error', () => {})
        response.on('data', (chunk: Buffer) => {
          const at = now()
          const all = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
          let start = 0
          for (let end = all.indexOf(10); end >= 0; end = all.indexOf(10, start)) {
            onLine(all.subarray(start, end), at)
            start = end + 1
          }
          rest = all.subarray(start)
        })
        resolve(() => out.destroy())
      })
    })
  }

  close(): void {
    this.#agent.destroy()
  }

  #open(
    { method, path, body, type = 'application/json' }: Sent,
    agent: Agent | false,
    onError: (err: Error) => void,
    onResponse: (response: IncomingMessage) => void,
  ): ReturnType<typeof httpRequest> {
    const headers: Record<string, string | number> =
      body === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(body) }
    const out = httpRequest({ ...this.#target, agent, method, path, headers })
    out.on('error', onError)
    out.once('response', onResponse)
    out.end(body)
    return out
  }
}

/** True for the events that tell of a change. */
export function isChange(line: Buffer): boolean {
  return line.length > 0 && !line.subarray(0, 60).includes('"BOOKMARK"')
}
