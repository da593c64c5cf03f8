/** Resolves in the next turn of the event loop: whatever is ready now, I/O included, goes first. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
