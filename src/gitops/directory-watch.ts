import { type FSWatcher, watch } from 'node:fs'
import { basename } from 'node:path'
import { printable } from '../base/printable.ts'
import type { Place, Places } from './directory-places.ts'

/**
 * File events of a set of directories that changes as links and directories do. They are hints: some file systems tell
 * nothing, and the kernel may drop them, so whoever listens also looks now and then.
 */
export class DirectoryWatch {
  readonly #watchers = new Map<string, { readonly watcher: FSWatcher; place: Place }>()
  #onChange: (() => void) | undefined
  #places: Places = new Map()
  #degraded: string | undefined

  /** Why changes may go unnoticed, if so. */
  get degraded(): string | undefined {
    return this.#degraded
  }

  /** Tells of events from now on, until the signal. */
  start(onChange: () => void, signal: AbortSignal): void {
    this.#onChange = onChange
    this.#sync()
    const stop = (): void => {
      this.#onChange = undefined
      for (const { watcher } of this.#watchers.values()) watcher.close()
      this.#watchers.clear()
    }
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  }

  /** Watches these directories instead of the ones before. A change since they were looked at is told of. */
  follow(places: Places): void {
    this.#places = places
    if (this.#sync()) this.#onChange?.()
  }

  /** True when a directory is watched that wasn't. */
  #sync(): boolean {
    if (this.#onChange === undefined) return false
    this.#degraded = undefined
    for (const [path, { watcher, place }] of this.#watchers) {
      if (this.#places.get(path)?.identity === place.identity) continue
      watcher.close()
      this.#watchers.delete(path)
    }
    let isNew = false
    for (const [path, place] of this.#places) {
      const watched = this.#watchers.get(path)
      if (watched !== undefined) watched.place = place
      else if (this.#begin(path, place)) isNew = true
    }
    return isNew
  }

  #begin(path: string, place: Place): boolean {
    try {
      const watcher = watch(path, { persistent: false })
      const entry = { watcher, place }
      this.#watchers.set(path, entry)
      watcher.on('change', (event, name) => {
        const { names } = entry.place
        // It says its own name when it is moved or deleted. Then it watches what nobody sees any more, and says no word of that.
        if (event === 'rename' && name === basename(path)) this.#end(path, watcher)
        else if (names === 'all' || typeof name !== 'string' || names.has(name)) this.#onChange?.()
      })
      // The directory is gone, or the kernel gave up on it: it is found again by looking.
      watcher.on('error', () => this.#end(path, watcher))
      watcher.on('close', () => this.#end(path, watcher))
      return true
    } catch (err) {
      const { code, message } = err as NodeJS.ErrnoException
      if (code === undefined) throw err
      // It went while we came; its parent tells of that.
      if (code !== 'ENOENT' && code !== 'ENOTDIR')
        this.#degraded =
          code === 'ENOSPC' ? `the limit fs.inotify.max_user_watches is reached at ${printable(path)}` : printable(`${path}: ${message}`)
      return false
    }
  }

  #end(path: string, watcher: FSWatcher): void {
    if (this.#watchers.get(path)?.watcher !== watcher) return
    this.#watchers.delete(path)
    watcher.close()
    this.#onChange?.()
  }
}
