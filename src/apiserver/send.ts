import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Status } from '../api/status.ts'
import { JSON_TYPE, type TextAnswer } from './route.ts'
import { statusHeaders } from './status-errors.ts'
import { warningHeaders } from './warnings.ts'

/** Answers from this size on are compressed for clients that can take it; below, it isn't worth the time. */
const COMPRESS_FROM = 128 * 1024

const compress = promisify(gzip)

export async function sendText(
  request: FastifyRequest,
  reply: FastifyReply,
  answer: TextAnswer,
  warnings: readonly string[],
): Promise<void> {
  reply.code(answer.code)
  if (answer.headers !== undefined) reply.headers(answer.headers)
  if (warnings.length > 0) reply.header('warning', warningHeaders(warnings) as string[])
  if (answer.code === 304) {
    // No content and no word about its type or length: caches would take them for those of what they hold.
    await reply.send()
    return
  }
  reply.header('content-type', answer.contentType)
  if (answer.text.length < COMPRESS_FROM || !acceptsGzip(request.headers['accept-encoding'])) {
    // As bytes, since the framework would write the content type of a text anew, quotes and all.
    await reply.send(Buffer.from(answer.text))
    return
  }
  // The fastest level: the point is the network, and the event loop's threads are few.
  const body = await compress(answer.text, { level: 1 })
  await reply.header('content-encoding', 'gzip').header('vary', 'Accept-Encoding').send(body)
}

export async function sendStatus(reply: FastifyReply, status: Status): Promise<void> {
  await reply.code(status.code).headers(statusHeaders(status)).header('content-type', JSON_TYPE).send(JSON.stringify(status))
}

function acceptsGzip(header: string | string[] | undefined): boolean {
  return /(^|[,\s])gzip\s*($|[,;](?!\s*q=0(\.0*)?\s*($|,)))/i.test(String(header ?? ''))
}
