/** More text than this in all is not sent: headers have to stay small. */
const MAX_RUNES = 4096

/** Warnings as values of `Warning` headers. What goes beyond the limit is left out. */
export function warningHeaders(warnings: readonly string[]): readonly string[] {
  const headers: string[] = []
  let runes = 0
  for (const warning of new Set(warnings)) {
    const text = warning.replaceAll(/\p{Cc}+/gu, ' ')
    runes += [...text].length
    if (runes > MAX_RUNES) break
    const value = `299 - "${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
    // Header values are bytes; Node takes each character for one.
    headers.push(Buffer.from(value, 'utf8').toString('latin1'))
  }
  return headers
}
