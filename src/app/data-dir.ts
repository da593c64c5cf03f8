import { accessSync, chmodSync, constants, mkdirSync, readdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import nodeProcess from 'node:process'

/** The kernel keeps so many bytes of a unix socket's path and would cut the rest in silence. */
const MAX_SOCKET_PATH = 107

/** Where a server keeps everything. */
export interface DataDir {
  readonly path: string
  readonly db: string
  readonly socket: string
  readonly serverFile: string
  readonly serverLog: string
  /** Keys and certificates. */
  readonly pki: string
  /** With all rights, for who may read the directory. */
  readonly kubeconfig: string
  readonly auditLog: string
  /** What is kept of Git repositories. */
  readonly sources: string
  /** What is fetched to tell what a source would change. */
  readonly previews: string
}

/** The files of a data directory. */
export function dataDirAt(path: string): DataDir {
  const absolute = resolve(path)
  return {
    path: absolute,
    db: join(absolute, 'db'),
    socket: join(absolute, 'pmk.sock'),
    serverFile: join(absolute, 'server.json'),
    serverLog: join(absolute, 'server.log'),
    pki: join(absolute, 'pki'),
    kubeconfig: join(absolute, 'kubeconfig'),
    auditLog: join(absolute, 'audit.log'),
    sources: join(absolute, 'sources'),
    previews: join(absolute, 'previews'),
  }
}

/** Makes the directory, for its user alone. Throws a sentence for people when it can't serve. */
export function prepareDataDir(dir: DataDir): void {
  const length = Buffer.byteLength(dir.socket)
  if (length > MAX_SOCKET_PATH) {
    throw new Error(
      `The socket ${dir.socket} has a path of ${length} bytes; the system allows ${MAX_SOCKET_PATH}. Choose a shorter --data-dir.`,
    )
  }
  try {
    mkdirSync(dir.path, { recursive: true, mode: 0o700 })
    const stat = statSync(dir.path)
    if (stat.uid !== nodeProcess.getuid?.()) {
      throw new Error(`belongs to user ${stat.uid}; the server runs as ${nodeProcess.getuid?.()}`)
    }
    if ((stat.mode & 0o077) !== 0) {
      // Only a fresh directory is closed for its owner: somebody's /tmp must not be.
      if (readdirSync(dir.path).length > 0) throw new Error(`other users may read it. Close it (chmod 700 ${dir.path}) or choose another`)
      chmodSync(dir.path, 0o700)
    }
    accessSync(dir.path, constants.W_OK)
  } catch (err) {
    const { code, message } = err as NodeJS.ErrnoException
    if (code === 'EROFS') {
      const wayOut = 'Make it writable (mount -o remount,rw), then start the server. What runs goes on meanwhile'
      throw new Error(`The data directory ${dir.path} is on a read-only file system. ${wayOut}.`, { cause: err })
    }
    throw new Error(`The data directory ${dir.path} can't be used: ${message}`, { cause: err })
  }
}
