import { spawnSync } from 'node:child_process'
import { accessSync, constants, realpathSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'

/** The minor versions of Kubernetes 1 whose kubectl has to work: the oldest, a middle one, the newest. */
export const MINORS = [27, 30, 33] as const
export type Minor = (typeof MINORS)[number]

/** The program of that version: `kubectl.1.N` beside the kubectl in PATH, or that one itself. */
export function findKubectl(minor: Minor): string | undefined {
  const own = ownKubectl
  if (own === undefined) return undefined
  const beside = join(dirname(own.path), `kubectl.1.${minor}`)
  if (isExecutable(beside)) return beside
  return own.minor === minor ? own.path : undefined
}

const ownKubectl = findOwn()

function findOwn(): { readonly path: string; readonly minor: number } | undefined {
  const path = (process.env.PATH ?? '')
    .split(delimiter)
    .map((dir) => join(dir, 'kubectl'))
    .find(isExecutable)
  if (path === undefined) return undefined
  const { stdout } = spawnSync(path, ['version', '--client', '-o', 'json'], { encoding: 'utf8', env: { HOME: '/nonexistent' } })
  const [, minor = ''] = /"minor": "([0-9]+)/.exec(stdout) ?? []
  return { path: realpathSync(path), minor: Number(minor) }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
