/** Logical positions in the two files of a log. */
export interface LogPlace {
  readonly out: number
  readonly err: number
}

export function logCursor({ out, err }: LogPlace): string {
  return `${out}.${err}`
}

/** Undefined: that is no cursor. */
export function parseLogCursor(text: string): LogPlace | undefined {
  const match = /^(\d{1,15})\.(\d{1,15})$/.exec(text)
  return match === null ? undefined : { out: Number(match[1]), err: Number(match[2]) }
}
