import { onAbort } from '../base/abort.ts'
import type { Clock, Millis } from '../base/clock.ts'

/**
 * Starts an iteration and waits a moment for its first item, so that what is wrong from the start is thrown here, while
 * the answer can still have a status of its own. Gives an iterable of all items. With `patience` 0 it waits only for
 * what needs no time to pass.
 */
export async function prime<T>(source: AsyncIterable<T>, clock: Clock, patience: Millis, signal: AbortSignal): Promise<AsyncIterable<T>> {
  const iterator = source[Symbol.asyncIterator]()
  const first = iterator.next()
  await begun(first, clock, patience, signal)
  return resumed(iterator, first)
}

/** Waits for the first item as `prime` does: throws its failure, if that comes in time. A later one is for who awaits `first`. */
export async function begun(first: Promise<unknown>, clock: Clock, patience: Millis, signal: AbortSignal): Promise<void> {
  // Never unheard, also when nobody awaits it any more.
  first.catch(() => {})
  await Promise.race([first, patience === 0 ? turns() : elapsed(clock, patience, signal)])
}

async function* resumed<T>(iterator: AsyncIterator<T>, first: Promise<IteratorResult<T>>): AsyncGenerator<T> {
  let done = false
  try {
    for (let next = await first; ; next = await iterator.next()) {
      if (next.done) {
        done = true
        return
      }
      yield next.value
    }
  } catch (err) {
    done = true
    throw err
  } finally {
    // Whoever stops early lets the source clean up.
    if (!done) await iterator.return?.()
  }
}

/** Lets everything that waits for no timer and no I/O settle. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
}

function elapsed(clock: Clock, patience: Millis, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.schedule(patience, () => {
      off()
      resolve()
    })
    const off = onAbort(signal, () => {
      cancel()
      resolve()
    })
  })
}
