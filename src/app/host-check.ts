import nodeProcess from 'node:process'

/** Throws a sentence for people where pmk can't run at all. */
export function refuseUnsupportedHost(): void {
  if (nodeProcess.platform !== 'linux') {
    throw new Error(`pmk runs on Linux only; this is ${nodeProcess.platform}. Use it inside a Linux machine or container.`)
  }
}
