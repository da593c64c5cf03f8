import assert from 'node:assert/strict'
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { WebSocket } from 'ws'
import { linesOf } from '../../src/client/watch-decoder.ts'
import { eventually } from './eventually.ts'

// biome-ignore lint/suspicious/noExplicitAny: events of every shape.
export type Any = any

/** A watch as its client sees it. */
export interface Watch {
  readonly headers: IncomingHttpHeaders
  readonly events: Any[]
  /** Resolves when the stream has ended cleanly. */
  readonly end: Promise<void>
  /** The client is gone, without a word. */
  readonly destroy: () => void
  /** What the client has of its connection. */
  readonly socket: Socket
}

export type Headers = Readonly<Record<string, string>>

/** The server said no before the stream began. */
export class Refused extends Error {
  readonly code: number
  readonly body: Any
  readonly headers: IncomingHttpHeaders

  constructor(response: IncomingMessage, text: string) {
    super(`${response.statusCode}: ${text}`)
    this.code = response.statusCode ?? 0
    this.headers = response.headers
    this.body = JSON.parse(text)
  }
}

async function refusal(response: IncomingMessage): Promise<Refused> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return new Refused(response, Buffer.concat(chunks).toString('utf8'))
}

/** Over HTTP: resolves with the headers. Throws Refused. */
export function openWatch(socketPath: string, path: string, headers: Headers = {}): Promise<Watch> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ socketPath, path, headers: { ...headers }, agent: false }, (response) => {
      if (response.statusCode !== 200) {
        refusal(response).then(reject, reject)
        return
      }
      const events: Any[] = []
      const read = async (): Promise<void> => {
        for await (const line of linesOf(response)) events.push(JSON.parse(line))
      }
      const end = read()
      end.catch(() => {})
      resolve({ headers: response.headers, events, end, destroy: () => request.destroy(), socket: response.socket })
    })
    request.on('error', reject)
    request.end()
  })
}

export interface SocketWatch extends Watch {
  readonly webSocket: WebSocket
  /** How the server said goodbye. */
  readonly closed: Promise<number>
}

/** Over a WebSocket to a unix socket, or to a URL with the authority of its server: resolves with the handshake. Throws Refused. */
export function openSocketWatch(
  target: string | { readonly url: string; readonly ca: string; readonly cert?: string; readonly key?: string },
  path: string,
  headers: Headers = {},
  protocols: readonly string[] = [],
): Promise<SocketWatch> {
  return new Promise((resolve, reject) => {
    const url = typeof target === 'string' ? `ws+unix:${target}:${path}` : `${target.url}${path}`
    // By the name in the certificate, whatever the Host header says.
    const tls = typeof target === 'string' ? {} : { ...target, servername: 'localhost' }
    const webSocket = new WebSocket(url, [...protocols], { headers: { ...headers }, perMessageDeflate: false, ...tls })
    const events: Any[] = []
    const closed = new Promise<number>((done) => webSocket.on('close', done))
    const end = closed.then((code) => assert.ok(code === 1000 || code === 1001, `closed with ${code}`))
    end.catch(() => {})
    let head: IncomingHttpHeaders = {}
    webSocket.on('message', (data, isBinary) => {
      assert.ok(!isBinary)
      events.push(JSON.parse(String(data)))
    })
    webSocket.on('upgrade', (response) => {
      head = response.headers
      const { socket } = response
      webSocket.on('open', () => resolve({ headers: head, events, end, closed, destroy: () => webSocket.terminate(), socket, webSocket }))
    })
    webSocket.on('unexpected-response', (_request, response) => {
      refusal(response).then(reject, reject)
    })
    webSocket.on('error', reject)
  })
}

export const shown = ({ type, object }: Any): string => `${type} ${object.metadata.name ?? ''}@${object.metadata.resourceVersion}`

export async function seen(watch: Watch, count: number): Promise<Any[]> {
  await eventually(() => assert.ok(watch.events.length >= count, watch.events.map(shown).join(', ')))
  return watch.events
}
