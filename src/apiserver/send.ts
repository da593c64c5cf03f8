import type { OutgoingHttpHeaders } from 'node:http'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Status } from '../api/status.ts'
import type { Clock, Millis } from '../base/clock.ts'
import { nextTurn } from '../base/turn.ts'
import type { Cancellation } from './limits.ts'
import { JSON_TYPE, type TextAnswer } from './route.ts'
import { statusHeaders } from './status-errors.ts'
import { drained } from './stream.ts'
import { warningHeaders } from './warnings.ts'

/** Answers from this size on are compressed for clients that can take it; below, it isn't worth the time. */
const COMPRESS_FROM = 128 * 1024

const compress = promisify(gzip)

/** Up to this size head and body leave as one piece of text; beyond, the text is better made into bytes once. */
const ONE_PIECE = 16 * 1024

export interface SendOptions {
  readonly warnings: readonly string[]
  readonly clock: Clock
  /** Made when it is needed: a text in pieces may take the client a while. */
  readonly cancellation: Cancellation
  /** A client that takes nothing for so long is cut off. */
  readonly stalledAfter: Millis
}

/** Past the framework, which would look at everything once more. */
export async function sendText(request: FastifyRequest, reply: FastifyReply, answer: TextAnswer, options: SendOptions): Promise<void> {
  const { code, contentType, headers } = answer
  const { warnings } = options
  const head: Head = { ...headers }
  if (warnings.length > 0) head.warning = warningHeaders(warnings)
  const packed = code !== 304 && acceptsGzip(request.headers['accept-encoding'])
  const text = packed && typeof answer.text !== 'string' ? [...answer.text].join('') : answer.text
  if (typeof text !== 'string') {
    reply.hijack()
    await sendPieces(reply, { head: { ...head, 'content-type': contentType }, pieces: text, code }, options)
    return
  }
  const compressed = packed && text.length >= COMPRESS_FROM
  // The fastest level: the point is the network, and the event loop's threads are few.
  const body = compressed ? await compress(text, { level: 1 }) : text.length > ONE_PIECE ? Buffer.from(text) : text
  reply.hijack()
  if (code === 304) {
    // No content and no word about its type or length: caches would take them for those of what they hold.
    reply.raw.writeHead(304, head as OutgoingHttpHeaders).end()
    return
  }
  head['content-type'] = contentType
  head['content-length'] = Buffer.byteLength(body)
  if (compressed) {
    head['content-encoding'] = 'gzip'
    head.vary = 'Accept-Encoding'
  }
  // Counts from the last byte that was taken; Node takes the timer back when the answer is sent.
  if (body.length > ONE_PIECE) reply.raw.setTimeout(options.stalledAfter, () => reply.raw.destroy())
  reply.raw.writeHead(code, head as OutgoingHttpHeaders).end(body)
}

type Head = Record<string, string | number | readonly string[]>

interface Pieces {
  readonly code: number
  readonly head: Head
  readonly pieces: Iterable<string>
}

/** One piece in a turn of the event loop, and none before the client took the one before. */
async function sendPieces({ raw, request }: FastifyReply, { code, head, pieces }: Pieces, options: SendOptions): Promise<void> {
  raw.writeHead(code, head as OutgoingHttpHeaders)
  try {
    for (const piece of request.method === 'HEAD' ? [] : pieces) {
      if (raw.destroyed) return
      if (!raw.write(Buffer.from(piece))) await drained(raw, options.clock, options.cancellation.signal, options.stalledAfter)
      await nextTurn()
    }
    raw.end()
  } catch (err) {
    raw.destroy()
    throw err
  }
}

export async function sendStatus(reply: FastifyReply, status: Status): Promise<void> {
  await reply.code(status.code).headers(statusHeaders(status)).header('content-type', JSON_TYPE).send(JSON.stringify(status))
}

function acceptsGzip(header: string | string[] | undefined): boolean {
  return /(^|[,\s])gzip\s*($|[,;](?!\s*q=0(\.0*)?\s*($|,)))/i.test(String(header ?? ''))
}
