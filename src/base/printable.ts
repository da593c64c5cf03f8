/** A file name on one line of a terminal, whatever it holds. */
export function printable(path: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must not reach a terminal.
  return /[\u0000-\u001f\u007f-\u009f]/.test(path) ? JSON.stringify(path) : path
}
