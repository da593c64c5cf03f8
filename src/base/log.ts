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

/** JSON lines on standard error. Level `silent` writes nothing. */
export function createLogger(options: { readonly level: LogLevel; readonly write?: (line: string) => void }): Logger {
  const destination = options.write === undefined ? pino.destination({ dest: 2, sync: true }) : { write: options.write }
  return pino({ level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination)
}

/** Says nothing. */
export const silentLogger: Logger = {
  child: () => silentLogger,
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
}
