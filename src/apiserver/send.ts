import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { createGzip, gzip } from 'node:zlib'
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

/** The fastest: the point is the network, and the event loop's threads are few. */
const LEVEL = { level: 1 }

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
  const head: Head = { ...headers, 'content-type': contentType }
  if (warnings.length > 0) head.warning = warningHeaders(warnings)
  const isPackable = code !== 304 && acceptsGzip(request.headers['accept-encoding'])
  if (typeof answer.text === 'string') await sendWhole(reply, { code, head, text: answer.text }, isPackable, options)
  else await sendPieces(reply, { code, head, pieces: answer.text }, isPackable, options)
}

type Head = Record<string, string | number | readonly string[]>

interface Begun {
  readonly code: number
  readonly head: Head
}

async function sendWhole(
  reply: FastifyReply,
  { code, head, text }: Begun & { readonly text: string },
  isPackable: boolean,
  { stalledAfter }: SendOptions,
): Promise<void> {
  const isPacked = isPackable && text.length >= COMPRESS_FROM
  const body = isPacked ? await compress(text, LEVEL) : text.length > ONE_PIECE ? Buffer.from(text) : text
  const { raw } = reply
  reply.hijack()
  if (code === 304) {
    // No content and no word about its type or length: caches would take them for those of what they hold.
    delete head['content-type']
    raw.writeHead(304, head as OutgoingHttpHeaders).end()
    return
  }
  head['content-length'] = Buffer.byteLength(body)
  if (isPacked) tellPacked(head)
  // Counts from the last byte that was taken; Node takes the timer back when the answer is sent.
  if (body.length > ONE_PIECE) raw.setTimeout(stalledAfter, () => raw.destroy())
  raw.writeHead(code, head as OutgoingHttpHeaders).end(body)
}

/** One piece in a turn of the event loop, and none before the client took the one before. */
async function sendPieces(
  reply: FastifyReply,
  { code, head, pieces }: Begun & { readonly pieces: Iterable<string> },
  isPackable: boolean,
  options: SendOptions,
): Promise<void> {
  const { raw, request } = reply
  const [first, rest] = isPackable ? await beginningOf(pieces) : ['', pieces]
  if (rest === undefined) {
    await sendWhole(reply, { code, head, text: first }, false, options)
    return
  }
  reply.hijack()
  if (isPackable) tellPacked(head)
  raw.writeHead(code, head as OutgoingHttpHeaders)
  try {
    if (request.method === 'HEAD') raw.end()
    else if (isPackable) await pipeline(Readable.from(inTurns(raw, first, rest)), createGzip(LEVEL), (packed) => send(raw, packed, options))
    else await send(raw, inTurns(raw, first, rest), options)
  } catch (err) {
    // Nobody is left to be told.
    if (raw.destroyed) return
    raw.destroy()
    throw err
  }
}

/** As much as has to be known to decide whether it is worth compressing, and what follows: undefined when that was all. */
async function beginningOf(pieces: Iterable<string>): Promise<readonly [first: string, rest: Iterable<string> | undefined]> {
  const iterator = pieces[Symbol.iterator]()
  let first = ''
  while (first.length < COMPRESS_FROM) {
    const { value, done } = iterator.next()
    if (done === true) return [first, undefined]
    first += value
    await nextTurn()
  }
  return [first, { [Symbol.iterator]: () => iterator }]
}

async function* inTurns(raw: ServerResponse, first: string, rest: Iterable<string>): AsyncGenerator<Buffer, void, undefined> {
  if (first !== '') yield Buffer.from(first)
  for (const piece of rest) {
    if (raw.destroyed) return
    await nextTurn()
    yield Buffer.from(piece)
  }
}

async function send(raw: ServerResponse, chunks: AsyncIterable<Buffer>, options: SendOptions): Promise<void> {
  for await (const chunk of chunks) {
    if (raw.destroyed) return
    if (!raw.write(chunk)) await drained(raw, options.clock, options.cancellation.signal, options.stalledAfter)
  }
  raw.end()
}

/** Beside what the answer already depends on. */
function tellPacked(head: Head): void {
  head['content-encoding'] = 'gzip'
  head.vary = head.vary === undefined ? 'Accept-Encoding' : `${head.vary}, Accept-Encoding`
}

export async function sendStatus(reply: FastifyReply, status: Status): Promise<void> {
  // Bytes, since the framework would add a charset to the type of a text, which JSON doesn't have.
  await reply
    .code(status.code)
    .headers(statusHeaders(status))
    .header('content-type', JSON_TYPE)
    .send(Buffer.from(JSON.stringify(status)))
}

function acceptsGzip(header: string | string[] | undefined): boolean {
  return /(^|[,\s])gzip\s*($|[,;](?!\s*q=0(\.0*)?\s*($|,)))/i.test(String(header ?? ''))
}
