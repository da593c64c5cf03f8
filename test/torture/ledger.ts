import { closeSync, existsSync, openSync, readFileSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** One run of a program, as it told of itself. */
export interface LedgerRun {
  readonly uid: string
  readonly attempt: number
  readonly pid: number
  readonly begun: string
  readonly instance: string
  readonly gen: string
  readonly config: string
  readonly secret: boolean
  /** It went to the background: its exit code is its own affair. */
  readonly forks: boolean
  /** What it was about to do. */
  end?: { readonly by: 'code' | 'signal'; readonly what: string }
  /** Signals that the harness sent it, before they were sent. */
  readonly hurt: string[]
  usr1: number
}

/** What the programs of a world told of themselves. */
export class Ledger {
  readonly #path: string
  readonly #counts: string
  readonly #runs = new Map<string, LedgerRun[]>()
  readonly #failed: (what: string) => void
  #offset = 0
  starts = 0
  deaths = 0

  constructor(scratch: string, failed: (what: string) => void) {
    this.#path = join(scratch, 'ledger')
    this.#counts = join(scratch, 'counts')
    this.#failed = failed
  }

  /** Reads what is new. */
  read(): void {
    if (!existsSync(this.#path)) return
    const length = statSync(this.#path).size - this.#offset
    if (length <= 0) return
    const bytes = Buffer.alloc(length)
    const fd = openSync(this.#path, 'r')
    readSync(fd, bytes, 0, length, this.#offset)
    closeSync(fd)
    const whole = bytes.lastIndexOf(10) + 1
    this.#offset += whole
    for (const line of bytes.toString('utf8', 0, whole).split('\n')) if (line !== '') this.#take(line)
  }

  #take(line: string): void {
    const [what, run = '', pid = '', ...rest] = line.split(' ')
    const { uid, attempt } = partsOf(run)
    const known = this.of(uid).find((each) => each.attempt === attempt)
    switch (what) {
      case 'start': {
        const [begun = '', instance = '', gen = '', config = '', secret = '', forks = ''] = rest
        if (known !== undefined) this.#failed(`the run ${run} of ${instance} was started twice: pids ${known.pid} and ${pid}`)
        const before = this.of(uid).at(-1)
        if (before !== undefined && before.attempt >= attempt) this.#failed(`${instance}: attempt ${attempt} after ${before.attempt}`)
        if (before !== undefined && isAlive(before)) {
          this.#failed(
            `${instance} is doubled: pid ${before.pid} of attempt ${before.attempt} lives beside pid ${pid} of attempt ${attempt}`,
          )
        }
        this.starts += 1
        const entry: LedgerRun = {
          uid,
          attempt,
          pid: Number(pid),
          begun,
          instance,
          gen,
          config,
          secret: secret === 'secret',
          forks: forks === 'forks',
          hurt: [],
          usr1: 0,
        }
        this.#runs.set(uid, [...this.of(uid), entry])
        return
      }
      case 'end':
        this.deaths += 1
        if (known !== undefined) known.end = { by: rest[0] === 'signal' ? 'signal' : 'code', what: rest[1] ?? '' }
        return
      case 'usr1':
        if (known !== undefined) known.usr1 += 1
        return
      case 'double':
        this.#failed(`${rest[0]}: the run ${run}, pid ${pid}, began while something of an earlier run was alive`)
        return
    }
  }

  /** The runs of an Instance, oldest first. */
  of(uid: string): readonly LedgerRun[] {
    return this.#runs.get(uid) ?? []
  }

  run(uid: string, attempt: number): LedgerRun | undefined {
    return this.of(uid).find((each) => each.attempt === attempt)
  }

  newest(): readonly LedgerRun[] {
    return [...this.#runs.values()].flatMap((runs) => runs.at(-1) ?? [])
  }

  /** How many lines a run has written at least. */
  lines(uid: string, attempt: number): number {
    const path = join(this.#counts, uid)
    if (!existsSync(path)) return 0
    const text = readFileSync(path, 'latin1').slice(attempt * 16, attempt * 16 + 15)
    return Number(/^\d{15}$/.exec(text)?.[0] ?? 0)
  }
}

export function partsOf(run: string): { readonly uid: string; readonly attempt: number } {
  const dot = run.lastIndexOf('.')
  return { uid: run.slice(0, dot), attempt: Number(run.slice(dot + 1)) }
}

/** Whether it is there still, as itself and not as a zombie. */
export function isAlive({ pid, begun }: { readonly pid: number; readonly begun: string }): boolean {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ')
    return fields[19] === begun && fields[0] !== 'Z' && fields[0] !== 'X'
  } catch {
    return false
  }
}
