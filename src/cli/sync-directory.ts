import { resolve } from 'node:path'
import { type Millis, sleep } from '../base/clock.ts'
import { DirectoryOrigin } from '../gitops/directory-origin.ts'
import { kustomize } from '../gitops/kustomize.ts'
import { sourceNameOf } from '../gitops/source-name.ts'
import { CliError } from './cli-error.ts'
import { describeError } from './errors.ts'
import { type Content, DirectorySync, type PassOptions } from './sync-pass.ts'
import type { Context } from './verb.ts'
import { withTimeout } from './with-timeout.ts'

/** Files change in bursts. */
const GATHER: Millis = 250
/** So often --watch looks without being told to: file events may be lost, and some file systems have none. */
const LOOK: Millis = 30_000

export interface DirectorySyncOptions extends Omit<PassOptions, 'source'> {
  /** The name that stands for the directory in labels; undefined: its own. */
  readonly name: string | undefined
  /** Again after each change, until the signal. */
  readonly watch: boolean
  /** Of one pass. */
  readonly timeout: Millis
}

/** Applies a directory from here, once or after each change. */
export async function syncDirectory(ctx: Context, options: DirectorySyncOptions): Promise<number> {
  const { directory, watch, timeout } = options
  const path = resolve(ctx.io.cwd, directory)
  const name = options.name ?? sourceNameOf(path)
  if (name === undefined) throw new CliError(`no name can be made of ${directory}; give it one with --name`, { usage: true })
  if (sourceNameOf(name) !== name) throw new CliError(`--name ${name}: a name has small letters, digits and dashes`, { usage: true })
  const { client } = await ctx.connect()
  const origin = new DirectoryOrigin({ path, clock: ctx.clock, kustomize })
  const sync = new DirectorySync(ctx, client, { ...options, source: { namespace: ctx.namespace, name } })
  const once = (content: Content | undefined): Promise<void> => {
    const late = `timed out: not all of ${directory} is applied${options.wait ? ' and healthy' : ''}`
    return withTimeout(ctx, timeout, late, async (signal) => sync.run(content ?? (await settled(ctx, origin, directory, signal)), signal))
  }
  if (!watch) {
    await once(undefined)
    return 0
  }
  const changes = new Changes(ctx, origin)
  for (let applied: string | undefined; ; ) {
    const content = await settled(ctx, origin, directory, ctx.signal)
    const revision = revisionOf(content)
    if (revision !== applied) {
      applied = revision
      try {
        await once(content)
        changes.tell('')
      } catch (err) {
        if (ctx.signal.aborted) throw err
        // What the server or somebody else is to blame for may have passed by the next look.
        if (content.type === 'snapshot') applied = undefined
        changes.tell(describeError(err))
      }
    }
    await changes.next()
  }
}

/** Where to look anew, and what was said last. */
class Changes {
  readonly #ctx: Context
  #changed: () => void = () => {}
  #isChanged = false
  #told = ''
  #isFirst = true

  constructor(ctx: Context, origin: DirectoryOrigin) {
    this.#ctx = ctx
    origin.watch(() => {
      this.#isChanged = true
      this.#changed()
    }, ctx.signal)
  }

  async next(): Promise<void> {
    const { clock, signal, io } = this.#ctx
    if (io.outputIsTerminal && this.#isFirst) io.warn('Waits for changes; Ctrl-C ends that.\n')
    this.#isFirst = false
    if (!this.#isChanged) {
      const end = new AbortController()
      this.#changed = () => end.abort()
      await sleep(clock, LOOK, AbortSignal.any([signal, end.signal])).catch(() => {})
    }
    signal.throwIfAborted()
    await sleep(clock, GATHER, signal)
    this.#isChanged = false
  }

  /** A failure, told once until there is another one or, `''`, none. */
  tell(text: string): void {
    if (text !== '' && text !== this.#told) this.#ctx.io.warn(`${text}\n`)
    this.#told = text
  }
}

/** What the directory holds, once nothing in it is being written. */
async function settled(ctx: Context, origin: DirectoryOrigin, directory: string, signal: AbortSignal): Promise<Content> {
  let told = ''
  for (;;) {
    const fetched = await origin.fetch(signal)
    if (fetched.type !== 'unsettled') return fetched
    if (ctx.io.outputIsTerminal && told !== fetched.path && fetched.retryAfter > 1_000)
      ctx.io.warn(`${directory}: waits until ${fetched.path} is left alone\n`)
    told = fetched.path
    await sleep(ctx.clock, fetched.retryAfter, signal)
  }
}

function revisionOf(content: Content): string {
  return content.type === 'snapshot' ? content.snapshot.revision : `${content.reason} ${content.message}`
}
