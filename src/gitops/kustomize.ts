import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import nodeProcess from 'node:process'
import { runBounded } from '../base/command.ts'
import { referencesOf } from './kustomize-references.ts'

/** Output of a build, in bytes; nobody's manifests are so large. */
const LARGEST = 4_000_000

const TOOLS: readonly (readonly [string, ...string[]])[] = [
  ['kubectl', 'kustomize'],
  ['kustomize', 'build'],
]

export type Built =
  /** `isAlone`: made of what is in the directory and nothing else. */
  { readonly text: string; readonly isAlone: boolean } | { readonly problem: string }

export interface KustomizeOptions {
  readonly signal: AbortSignal
  /** A directory that bases must lie in, too; absent: anywhere on this host. */
  readonly within?: string
}

/**
 * Builds a directory with a kustomization by kubectl, or kustomize where that is what there is. What it names on other hosts is
 * refused before anything is built; and the build finds no git, no proxy that answers, no plugins and no home directory.
 */
export async function kustomize(directory: string, { signal, within }: KustomizeOptions): Promise<Built> {
  const references = await referencesOf(directory, within)
  if ('problem' in references) return references
  for (const [name, ...args] of TOOLS) {
    const program = await findProgram(name)
    if (program === undefined) continue
    const { code, stdout, stderr, isTooLong } = await runBounded([program, ...args, directory], {
      env: SHUT_OFF,
      maxOutput: LARGEST,
      signal,
    })
    if (isTooLong) return { problem: `what ${name} makes of it has more than ${LARGEST} bytes` }
    if (code !== 0) return { problem: sayingOf(stderr, directory) ?? `${name} failed with code ${code}` }
    return { text: stdout.toString(), isAlone: references.isAlone }
  }
  return { problem: 'a kustomization is built by kubectl or kustomize, and neither is installed' }
}

const NOWHERE = '/nonexistent'
/** A port where nothing answers. */
const NO_PROXY = 'http://127.0.0.1:9'

const SHUT_OFF: Readonly<Record<string, string>> = {
  PATH: NOWHERE,
  HOME: NOWHERE,
  XDG_CONFIG_HOME: NOWHERE,
  KUBECONFIG: '/dev/null',
  HTTP_PROXY: NO_PROXY,
  HTTPS_PROXY: NO_PROXY,
  GOMAXPROCS: '1',
  LC_ALL: 'C',
}

async function findProgram(name: string): Promise<string | undefined> {
  for (const directory of (nodeProcess.env.PATH ?? '').split(':')) {
    if (!directory.startsWith('/')) continue
    const path = join(directory, name)
    if (
      await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return path
  }
  return undefined
}

/** Its last line, with paths as they are in the source; without what differs from run to run, for it is compared. */
function sayingOf(stderr: string, directory: string): string | undefined {
  const line = stderr.trim().split('\n').at(-1) ?? ''
  const text = line
    .replace(/^[EF]\d{4} [\d:.]+ +\d+ [^\]]*\] (?:"command failed" err="(.*)"$)?/, '$1')
    .replace(/^error: /i, '')
    .replaceAll(/\/\S*\/kustomize-\d+/g, '…')
    .replaceAll(`${directory}/`, '')
    .replaceAll(directory, '.')
  return text === '' ? undefined : text.slice(0, 1000)
}
