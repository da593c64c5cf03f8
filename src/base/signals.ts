/** The signals of Linux by name without SIG, with their numbers on x64 and arm64 (the same on both). */
export const SIGNALS: Readonly<Record<string, number>> = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ILL: 4,
  TRAP: 5,
  ABRT: 6,
  IOT: 6,
  BUS: 7,
  FPE: 8,
  KILL: 9,
  USR1: 10,
  SEGV: 11,
  USR2: 12,
  PIPE: 13,
  ALRM: 14,
  TERM: 15,
  STKFLT: 16,
  CHLD: 17,
  CLD: 17,
  CONT: 18,
  STOP: 19,
  TSTP: 20,
  TTIN: 21,
  TTOU: 22,
  URG: 23,
  XCPU: 24,
  XFSZ: 25,
  VTALRM: 26,
  PROF: 27,
  WINCH: 28,
  IO: 29,
  POLL: 29,
  PWR: 30,
  SYS: 31,
}

/** Real-time signals as the C library numbers them for programs; it keeps the kernel's first two for itself. */
const RTMIN = 34
const RTMAX = 64

/** The number of a signal such as `TERM`, `SIGTERM` or `RTMIN+1`, in any case; undefined when there is none of that name. */
export function signalNumberOf(name: string): number | undefined {
  const plain = plainSignalName(name)
  if (Object.hasOwn(SIGNALS, plain)) return SIGNALS[plain]
  const realtime = /^RT(?:MIN(?:\+(\d{1,2}))?|MAX(?:-(\d{1,2}))?)$/.exec(plain)
  if (realtime === null) return undefined
  const number = plain.startsWith('RTMIN') ? RTMIN + Number(realtime[1] ?? 0) : RTMAX - Number(realtime[2] ?? 0)
  return number >= RTMIN && number <= RTMAX ? number : undefined
}

/** `SIGTERM` and `term` are both `TERM`. */
export function plainSignalName(name: string): string {
  return name.toUpperCase().replace(/^SIG/, '')
}
