import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { printable } from '../base/printable.ts'
import { formatBytes } from '../base/quantity.ts'
import { type Manifest, ManifestError, type Problem } from './manifest.ts'
import { parseManifests } from './parse.ts'

/** Extensions of manifests in a directory. A file that is named itself may have any. */
const EXTENSIONS: readonly string[] = ['.json', '.yaml', '.yml']

/** A bound for our memory: no file of manifests is so large. */
const LARGEST_FILE = 64 * 1024 * 1024

export interface LoadOptions {
  /** Files, directories, and `-` for standard input. */
  readonly paths: readonly string[]
  /** Whether directories in directories are read, too. */
  readonly recursive: boolean
  readonly readInput: () => Promise<Uint8Array>
}

/**
 * All manifests of these files, in the order of the paths, files of a directory by name. All or nothing: throws ManifestError
 * with every problem of every file. Names that begin with a dot are passed over in directories; so are links to directories.
 */
export async function loadManifests(options: LoadOptions): Promise<readonly Manifest[]> {
  const manifests: Manifest[] = []
  const problems: Problem[] = []
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work()
    } catch (err) {
      if (!(err instanceof ManifestError)) throw err
      problems.push(...err.problems)
    }
  }
  for (const path of options.paths) {
    await attempt(async () => {
      if (path === '-') {
        manifests.push(...parseManifests('stdin', decode('stdin', await options.readInput())))
        return
      }
      for (const file of await listFiles(path, options.recursive))
        await attempt(async () => void manifests.push(...(await readManifests(file))))
    })
  }
  problems.push(...findDoubles(manifests))
  if (problems.length > 0) throw new ManifestError(problems)
  return manifests
}

async function readManifests(path: string): Promise<readonly Manifest[]> {
  const file = printable(path)
  const bytes = await orProblem(file, readBounded(file, path))
  return parseManifests(file, decode(file, bytes))
}

/** What isn't a file of a known size, such as a pipe of the shell or /dev/zero, is read as far as a file may reach. */
async function readBounded(file: string, path: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of createReadStream(path, { end: LARGEST_FILE, highWaterMark: 256 * 1024 })) {
    chunks.push(chunk as Uint8Array)
    size += (chunk as Uint8Array).length
  }
  if (size > LARGEST_FILE) throw new ManifestError([{ file, message: `has more than ${formatBytes(LARGEST_FILE)}` }])
  return Buffer.concat(chunks)
}

async function listFiles(path: string, recursive: boolean): Promise<readonly string[]> {
  const info = await orProblem(printable(path), stat(path))
  if (!info.isDirectory()) {
    if (info.size > LARGEST_FILE) {
      throw new ManifestError([{ file: printable(path), message: `has ${formatBytes(info.size)}, more than ${formatBytes(LARGEST_FILE)}` }])
    }
    return [path]
  }
  const files = await listDirectory(path, recursive)
  if (files.length === 0) {
    throw new ManifestError([
      {
        file: printable(path),
        message: `no manifests in this directory (${EXTENSIONS.join(', ')})${recursive ? '' : '; -R looks into its directories'}`,
      },
    ])
  }
  return files
}

async function listDirectory(path: string, recursive: boolean): Promise<readonly string[]> {
  const entries = await orProblem(printable(path), readdir(path, { withFileTypes: true }))
  const files: string[] = []
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith('.')) continue
    const inner = join(path, entry.name)
    if (entry.isDirectory()) {
      if (recursive) files.push(...(await listDirectory(inner, true)))
    } else if (EXTENSIONS.includes(extname(entry.name)) && (entry.isFile() || (entry.isSymbolicLink() && (await isFile(inner))))) {
      files.push(inner)
    }
  }
  return files
}

async function isFile(path: string): Promise<boolean> {
  return (await orProblem(printable(path), stat(path))).isFile()
}

function decode(file: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause
    throw new ManifestError([{ file, message: 'is not UTF-8 text' }])
  }
}

/** Objects that are described twice. */
export function findDoubles(manifests: readonly Manifest[]): readonly Problem[] {
  const seen = new Map<string, Manifest>()
  const problems: Problem[] = []
  for (const manifest of manifests) {
    const { definition, name, namespace, origin } = manifest
    const id = `${definition.kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`
    const first = seen.get(id)
    if (first === undefined) seen.set(id, manifest)
    else
      problems.push({
        file: origin.file,
        line: origin.line,
        message: `${id} is also in ${first.origin.file}:${first.origin.line}; keep one`,
      })
  }
  return problems
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  ENOTDIR: 'a part of the path is not a directory',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'the name is too long',
}

async function orProblem<T>(file: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (err) {
    const { code, message } = err as NodeJS.ErrnoException
    if (code === undefined) throw err
    throw new ManifestError([{ file, message: REASONS[code] ?? message }])
  }
}
