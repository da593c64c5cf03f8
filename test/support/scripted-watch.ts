import type { ApiObject } from '../../src/api/object.ts'
import { apiError } from '../../src/api/status.ts'
import type { WatchEvent } from '../../src/api/watch-event.ts'
import type { WatchOptions } from '../../src/client/client.ts'

type Step<T> = { readonly event: WatchEvent<T> } | { readonly fail: Error } | { readonly end: true }

/** The watch of a server whose every event, failure and end is said by the test. */
export class ScriptedWatch<T extends ApiObject> {
  /** Where each watch was asked to start; undefined: from the state. */
  readonly starts: (string | undefined)[] = []
  #steps: Step<T>[] = []
  #wake: () => void = () => {}
  #open = 0

  /** Watches that are open now. */
  get open(): number {
    return this.#open
  }

  send(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: T): void {
    this.#push({ event: { type, object } })
  }

  /** The whole state, closed by its bookmark. */
  state(objects: readonly T[], resourceVersion: string): void {
    for (const object of objects) this.send('ADDED', object)
    this.#push({ event: { type: 'BOOKMARK', resourceVersion, initialEventsEnd: true } })
  }

  bookmark(resourceVersion: string): void {
    this.#push({ event: { type: 'BOOKMARK', resourceVersion } })
  }

  fail(error: Error): void {
    this.#push({ fail: error })
  }

  expire(): void {
    this.fail(apiError('Expired', 'too old resource version'))
  }

  end(): void {
    this.#push({ end: true })
  }

  async *watch(options: WatchOptions): AsyncIterable<WatchEvent<T>> {
    this.starts.push(options.resourceVersion)
    this.#open += 1
    const onAbort = (): void => this.#wake()
    options.signal.addEventListener('abort', onAbort)
    try {
      while (!options.signal.aborted) {
        const step = this.#steps.shift()
        if (step === undefined) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve
          })
        } else if ('fail' in step) throw step.fail
        else if ('end' in step) return
        else yield step.event
      }
    } finally {
      this.#open -= 1
      options.signal.removeEventListener('abort', onAbort)
    }
  }

  #push(step: Step<T>): void {
    this.#steps.push(step)
    this.#wake()
  }
}
