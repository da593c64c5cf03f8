import { open } from 'node:fs/promises'
import type { SpawnChild } from './child.ts'
import { runTool } from './child.ts'
import type { HostTools } from './host.ts'
import type { Identity } from './runtime.ts'
import { StartError } from './runtime.ts'

const LARGEST_FILE = 1024 * 1024

/** The text of a file, read with the rights of that user. */
export async function readAs(
  path: string,
  identity: Identity | undefined,
  context: { readonly host: HostTools; readonly spawn: SpawnChild },
): Promise<string> {
  const { host, spawn } = context
  if (identity === undefined || host.isOwn(identity)) return readOwn(path)
  const setpriv = host.tools.get('setpriv')
  const head = host.tools.get('head')
  if (host.uid !== 0) throw new StartError('NotPermitted', `Reading ${path} as ${identity.user} needs a server that runs as root`)
  if (setpriv === undefined || head === undefined) throw new StartError('HostFailure', 'This host has no "setpriv" or no "head" command')
  const groups = identity.supplementalGroups.length === 0 ? '--clear-groups' : `--groups=${identity.supplementalGroups.join(',')}`
  const words = [`--reuid=${identity.uid}`, `--regid=${identity.gid}`, groups, head, '-c', String(LARGEST_FILE + 1), '--', path]
  const { code, stdout, stderr } = await runTool(spawn, setpriv, words, { maxOutput: LARGEST_FILE + 1 })
  if (code !== 0) throw new Error(`${path} can't be read as ${identity.user}: ${stderr.replace(/^.*: /, '') || `head ended with ${code}`}`)
  return textOf(path, stdout)
}

async function readOwn(path: string): Promise<string> {
  const file = await open(path, 'r')
  try {
    const buffer = Buffer.alloc(LARGEST_FILE + 1)
    let size = 0
    while (size < buffer.length) {
      const { bytesRead } = await file.read(buffer, size, buffer.length - size)
      if (bytesRead === 0) break
      size += bytesRead
    }
    return textOf(path, buffer.subarray(0, size))
  } finally {
    await file.close()
  }
}

function textOf(path: string, bytes: Buffer): string {
  if (bytes.length > LARGEST_FILE) throw new Error(`${path} is larger than ${LARGEST_FILE} bytes`)
  return bytes.toString()
}
