import { pino } from 'pino'

/** The part of pino that this code base uses. */
export interface Logger {
  child(bindings: object): Logger
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** What a full disk keeps from being written waits in memory up to this many bytes; later lines are lost. */
const MOST_WAITING = 256 * 1024

/** JSON lines on a file descriptor, standard error unless told otherwise. Level `silent` writes nothing. Never throws for want of a disk. */
export function createLogger(options: { readonly level: LogLevel; readonly fd?: number; readonly write?: (line: string) => void }): Logger {
  const destination = options.write === undefined ? patientDestination(options.fd ?? 2) : { write: options.write }
  return pino({ level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination)
}

function patientDestination(fd: number): ReturnType<typeof pino.destination> {
  const destination = pino.destination({ dest: fd, sync: true, maxLength: MOST_WAITING })
  // What could not be written is tried again with the next line. There is nowhere to tell of it.
  destination.on('error', () => {})
  return destination
}

/** Says nothing. */
export const silentLogger: Logger = {
  child: () => silentLogger,
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
}
