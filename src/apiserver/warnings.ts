/** More text than this in all is not sent, as in Kubernetes. */
const MAX_RUNES = 4096

/** Bytes of all the headers together: clients in Node.js take no more than 16 KiB of headers, whatever they are. */
const MAX_BYTES = 8 * 1024

/** Warnings as values of `Warning` headers. What goes beyond the limits is counted by the last of them. */
export function warningHeaders(warnings: readonly string[]): readonly string[] {
  const texts = [...new Set(warnings)]
  const headers: string[] = []
  let runes = 0
  let bytes = 0
  for (const [index, warning] of texts.entries()) {
    const text = warning.replaceAll(/\p{Cc}+/gu, ' ')
    const header = headerOf(text)
    runes += [...text].length
    bytes += header.length + FRAME
    if (runes > MAX_RUNES || bytes > MAX_BYTES) return [...headers, headerOf(`${texts.length - index} more could not be shown`)]
    headers.push(header)
  }
  return headers
}

/** `Warning: ` and the end of the line. */
const FRAME = 11

function headerOf(text: string): string {
  const value = `299 - "${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
  // Header values are bytes; Node takes each character for one.
  return Buffer.from(value, 'utf8').toString('latin1')
}
