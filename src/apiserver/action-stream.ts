import type { ActionResult } from '../api/node-gateway.ts'
import { ApiError } from '../api/status.ts'
import { onAbort } from '../base/abort.ts'
import { JSON_TYPE, type StreamAnswer } from './route.ts'

type Run = (onOutput: (chunk: Uint8Array) => void, signal: AbortSignal) => Promise<ActionResult>

/** A command that writes faster than its client reads loses what goes beyond this, and says how much. */
const MAX_BUFFERED = 8 * 1024 * 1024

/**
 * Runs a command and gives its output while it comes, as lines of JSON:
 *
 *   {"instance":"web-0"}           first, once
 *   {"output":"aGVsbG8K"}          pieces of stdout and stderr, in base64, as they come
 *   {"dropped":12345}              so many bytes were left out here, because the client was too slow
 *   {"exitCode":0}                 last, when the command has ended
 *   {"status":{…}}                 last, instead: a Status, when it could not be carried through
 *
 * What fails before there is output is thrown here, so that it can have a status code of its own.
 */
export async function actionStream(instance: string, run: Run, signal: AbortSignal): Promise<StreamAnswer> {
  const lines: string[] = []
  let buffered = 0
  let dropped = 0
  let wake = (): void => {}
  let ended = false
  const push = (line: string): void => {
    lines.push(`${line}\n`)
    buffered += line.length
    wake()
  }
  const begun = new Promise<void>((resolve) => {
    wake = resolve
  })
  const result = run((chunk) => {
    if (chunk.length === 0) return
    if (buffered > MAX_BUFFERED) {
      dropped += chunk.length
      return
    }
    if (dropped > 0) push(JSON.stringify({ dropped }))
    dropped = 0
    push(JSON.stringify({ output: Buffer.from(chunk).toString('base64') }))
  }, signal)
  await Promise.race([begun, result])
  const finished = result
    .then(
      ({ exitCode }) => ({ exitCode }),
      (err: unknown) => {
        if (!(err instanceof ApiError)) throw err
        return { status: err.status }
      },
    )
    .then((last) => {
      if (dropped > 0) push(JSON.stringify({ dropped }))
      push(JSON.stringify(last))
    })
    .finally(() => {
      ended = true
      wake()
    })

  async function* chunks(): AsyncGenerator<string> {
    yield `${JSON.stringify({ instance })}\n`
    const off = onAbort(signal, () => wake())
    try {
      for (;;) {
        const text = lines.splice(0).join('')
        buffered = 0
        if (text !== '') yield text
        else if (ended || signal.aborted) break
        else
          await new Promise<void>((resolve) => {
            wake = resolve
            // What came or fired between the last look and here would wake nobody.
            if (lines.length > 0 || ended || signal.aborted) resolve()
          })
      }
    } finally {
      off()
    }
    // Its failure is thrown here; on an abort nobody reads on.
    if (ended) await finished
  }
  finished.catch(() => {
    // Heard by the stream's end; without a reader left there is nobody to tell.
  })
  return { contentType: JSON_TYPE, chunks: chunks() }
}
