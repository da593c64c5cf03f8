import type { LogPiece } from '../api/node-gateway.ts'

/** Only the output. */
export async function* logText(pieces: AsyncIterable<LogPiece>): AsyncGenerator<Uint8Array> {
  for await (const { bytes } of pieces) if (bytes.length > 0) yield bytes
}

/**
 * The output as lines of JSON, each with the place behind it. A client that was cut off goes on from the last whole line's cursor.
 *
 *   {"cursor":"0.0"}                                    first, once: the place where it begins
 *   {"cursor":"6.0","output":"aGVsbG8K"}                output in base64
 *   {"cursor":"99.0","output":"aGVsbG8K","skipped":87}  so many bytes before it were rotated away unread
 */
export async function* logFrames(pieces: AsyncIterable<LogPiece>): AsyncGenerator<string> {
  for await (const { bytes, cursor, skipped } of pieces) {
    const output = bytes.length === 0 ? {} : { output: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64') }
    yield `${JSON.stringify({ cursor, ...output, ...(skipped === 0 ? {} : { skipped }) })}\n`
  }
}
