import { chmod, lstat, unlink } from 'node:fs/promises'
import type { Server } from 'node:http'
import { connect } from 'node:net'
import nodeProcess from 'node:process'

/** The kernel's struct holds 108 bytes with the closing zero; it would cut a longer path in silence. */
const MAX_PATH_BYTES = 107

/** Connections that wait to be let in while the loop is busy; beyond, clients are told at once that nobody answers. */
export const BACKLOG = 4_096

/**
 * Listens on a unix socket that only its owner may open. A socket file that nobody answers on is a left-over and is
 * replaced; anything else at that path is left alone, and an Error.
 */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  const length = Buffer.byteLength(path)
  if (length > MAX_PATH_BYTES)
    throw new Error(`socket path ${path} is ${length} bytes long; the limit is ${MAX_PATH_BYTES}: choose a shorter one`)
  await removeStale(path)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    // The file exists as soon as it is bound, so it must never have had other permissions. Binding is synchronous.
    const umask = nodeProcess.umask(0o177)
    try {
      server.listen({ path, backlog: BACKLOG }, () => {
        server.off('error', reject)
        resolve()
      })
    } finally {
      nodeProcess.umask(umask)
    }
  })
  await chmod(path, 0o600)
}

async function removeStale(path: string): Promise<void> {
  const stats = await lstat(path).catch((err: NodeJS.ErrnoException) => {
    if (err.code === 'ENOENT') return undefined
    throw err
  })
  if (stats === undefined) return
  if (!stats.isSocket()) throw new Error(`${path} exists and is not a socket: it is not touched`)
  if (await answers(path)) throw new Error(`another server listens on ${path}`)
  await unlink(path)
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', (err: NodeJS.ErrnoException) => {
      if (err.code === 'ECONNREFUSED' || err.code === 'ENOENT') resolve(false)
      // Too many waiting connections are a sign of a server, too.
      else if (err.code === 'EAGAIN') resolve(true)
      else reject(err)
    })
  })
}
