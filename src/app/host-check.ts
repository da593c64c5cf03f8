import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import nodeProcess from 'node:process'

/** Throws a sentence for people where pmk can't run at all. */
export function refuseUnsupportedHost(): void {
  if (nodeProcess.platform !== 'linux') {
    throw new Error(`pmk runs on Linux only; this is ${nodeProcess.platform}. Use it inside a Linux machine or container.`)
  }
}

/** What about this host or this start deserves a word in the log. */
export function warnings(): readonly string[] {
  const found: string[] = []
  if (nodeProcess.pid === 1) {
    found.push('The server is process 1 of its container: start it under an init that reaps (docker run --init, or tini)')
  }
  const inherited = inheritedFiles()
  if (inherited.length > 0) {
    found.push(`Files were inherited from whoever started the server, and every process will inherit them: ${inherited.join(', ')}`)
  }
  return found
}

/** Open files beyond the standard three that a child would inherit: those without close-on-exec. */
function inheritedFiles(): readonly string[] {
  const found: string[] = []
  for (const fd of readdirSync('/proc/self/fd')) {
    if (Number(fd) <= 2) continue
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`)
      if (isInheritable(fd)) found.push(`${fd} (${target})`)
    } catch {
      // Closed meanwhile: the descriptor of this very listing.
    }
  }
  return found
}

function isInheritable(fd: string): boolean {
  const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))
  // O_CLOEXEC is 02000000 on Linux.
  return flags?.[1] !== undefined && (Number.parseInt(flags[1], 8) & 0o2000000) === 0
}
