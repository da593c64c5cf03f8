/** What a section has to undo, in the opposite order: at its end, after a failure, and when the run is interrupted. */
export class Cleanup {
  readonly #tasks: (() => unknown)[] = []

  add(task: () => unknown): void {
    this.#tasks.push(task)
  }

  /** Does all of it, whatever fails in between; gives the failures. */
  async run(): Promise<readonly Error[]> {
    const failures: Error[] = []
    for (let task = this.#tasks.pop(); task !== undefined; task = this.#tasks.pop()) {
      try {
        await task()
      } catch (err) {
        failures.push(err instanceof Error ? err : new Error(String(err)))
      }
    }
    return failures
  }
}
