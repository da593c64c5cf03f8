import { dirname } from 'node:path'
import type { Clock, Millis } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import { Gate } from './gate.ts'
import type { LogFile } from './log-file.ts'
import { nextLook, QUIET_LOOK } from './log-growth.ts'
import { QuietLogs, watchDirectory } from './quiet-logs.ts'
import type { InstanceId, LogConfig, Notice } from './runtime.ts'

const AFTER_ROTATION: Millis = 1_000
/** Until it is known how large a log may become. */
const UNCONFIGURED: Millis = 1_000
/** After a failure, as on a full disk. */
const RETRY: Millis = 5_000
/** Rotations at once: each costs one thread of Node's four while it compresses. */
const MAX_ROTATIONS = 2

/** A log as the rotator sees it. The last two fields are its own. */
export interface RotatedLog {
  readonly instance: InstanceId
  readonly out: LogFile
  readonly err: LogFile
  readonly config: LogConfig | undefined
  /** Nothing more is to come. */
  readonly retired: boolean
  cancel: (() => void) | undefined
  /** The look that is under way. */
  looking: Promise<void> | undefined
}

export interface LogRotatorOptions {
  readonly clock: Clock
  readonly log: Logger
  readonly notify: (instance: InstanceId, reason: Notice['reason'], message: string) => void
}

/** Looks at logs, the more often the faster they grow, and rotates those that are too large. */
export class LogRotator {
  readonly #options: LogRotatorOptions
  readonly #rotations = new Gate(MAX_ROTATIONS)
  readonly #quiet: QuietLogs<RotatedLog>
  #closed = false

  constructor(options: LogRotatorOptions) {
    this.#options = options
    this.#quiet = new QuietLogs<RotatedLog>({
      clock: options.clock,
      interval: QUIET_LOOK,
      watch: ({ out }, onChange) => watchDirectory(dirname(out.path), onChange),
      hasGrown: (log) => filesOf(log).some((file) => file.hasChanged()),
      onGrowth: (log) => this.lookIn(log, 0),
    })
  }

  /** Looks at the log after a while, and again and again from then on. A look that is due later is brought forward. */
  lookIn(log: RotatedLog, delay: Millis): void {
    if (this.#closed || log.retired || log.looking !== undefined) return
    log.cancel?.()
    if (delay >= QUIET_LOOK) {
      this.#quiet.add(log)
      return
    }
    this.#quiet.delete(log)
    log.cancel = this.#options.clock.schedule(delay, () => {
      log.looking = this.#look(log, delay)
        .catch((err: unknown) => {
          this.#options.log.error({ instance: log.instance, err }, 'Could not rotate a log')
          return RETRY
        })
        .then((next) => {
          log.looking = undefined
          this.lookIn(log, next)
        })
    })
  }

  /** Resolves when the log, which is retired or whose rotator is closed, is looked at no more. */
  async leave(log: RotatedLog): Promise<void> {
    log.cancel?.()
    this.#quiet.delete(log)
    await log.looking
  }

  /** No look begins any more. */
  close(): void {
    this.#closed = true
    this.#quiet.close()
  }

  async #look(log: RotatedLog, during: Millis): Promise<Millis> {
    const { config } = log
    if (config === undefined) return UNCONFIGURED
    let next = QUIET_LOOK
    for (const file of filesOf(log)) {
      const { live, grown, rate } = file.look(this.#options.clock.monotonic())
      if (live >= config.maxSize) {
        next = Math.min(next, AFTER_ROTATION)
        await this.#rotations.run(async () => {
          const dropped = await file.rotate(config, rate)
          if (dropped > 0)
            this.#options.notify(
              log.instance,
              'LogDropped',
              `${dropped} bytes of output were dropped: it came faster than logs.maxSize and logs.maxFiles let it be kept`,
            )
        })
      }
      next = Math.min(next, nextLook({ grown, during, maxSize: config.maxSize, previous: during }))
    }
    return next
  }
}

function filesOf({ out, err, config }: RotatedLog): readonly LogFile[] {
  return config?.mergeStderr === false ? [out, err] : [out]
}
