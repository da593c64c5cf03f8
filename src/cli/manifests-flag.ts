import { resolve } from 'node:path'
import type { FollowedDirectory } from '../app/followed-directories.ts'
import { sourceNameOf } from '../gitops/source-name.ts'
import { CliError } from './cli-error.ts'

/** The directories of --manifests. They need not be there yet. */
export function followedDirectories(texts: readonly string[], cwd: string): readonly FollowedDirectory[] {
  const directories = texts.map((text) => {
    const [, given, path = text] = /^([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)=(.+)$/s.exec(text) ?? []
    if (path === '') throw new CliError('--manifests needs a directory', { usage: true })
    const absolute = resolve(cwd, path)
    const name = given ?? sourceNameOf(absolute)
    if (name === undefined)
      throw new CliError(`--manifests ${text}: no name can be made of it; give it one: --manifests NAME=${text}`, { usage: true })
    return { name, path: absolute }
  })
  for (const [at, { name, path }] of directories.entries()) {
    const first = directories.findIndex((other) => other.name === name)
    if (first !== at)
      throw new CliError(
        `--manifests: ${directories[first]?.path} and ${path} would both be called ${name}; give one another name: --manifests NAME=${path}`,
        {
          usage: true,
        },
      )
  }
  return directories
}

/** The same as words of a command line that mean it from everywhere. */
export function manifestsWords(directories: readonly FollowedDirectory[]): readonly string[] {
  return directories.map(({ name, path }) => `--manifests=${name}=${path}`)
}
