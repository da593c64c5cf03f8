import nodeProcess from 'node:process'

/** Throws a sentence for people where pmk can't run at all. */
export function refuseUnsupportedHost(): void {
  if (nodeProcess.platform !== 'linux') {
    throw new Error(`pmk runs on Linux only; this is ${nodeProcess.platform}. Use it inside a Linux machine or container.`)
  }
}

/** What about this host or this start deserves a word in the log. */
export function warnings(): readonly string[] {
  if (nodeProcess.pid !== 1) return []
  return ['The server is process 1 of its container: start it under an init that reaps (docker run --init, or tini)']
}
