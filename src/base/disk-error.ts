/** What a disk answers that is full, over its quota, read-only or failing: it may take the same write later. */
const CODES: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EIO'])

/** True when the disk refused, and nothing is wrong with what was asked of it. Looks at the error itself, not at its causes. */
export function isDiskRefusal(err: unknown): boolean {
  return err instanceof Error && 'code' in err && typeof err.code === 'string' && CODES.has(err.code)
}
