import { accessSync, constants, statfsSync, statSync } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { type LaunchConfig, StartError } from './runtime.ts'
import { hasCode } from './state-dir.ts'

/** What is found at a path; of files it is told whether they can be executed. */
type Found = 'missing' | 'directory' | 'program' | 'other'
/** Asks for the paths to look at, one after the other. */
type Search = Generator<string, string, Found>

/** `f_type` of file systems on disks or in memory of this machine: ext, XFS, Btrfs, F2FS, ZFS, tmpfs, overlay, squashfs, EROFS. */
const LOCAL_FILE_SYSTEMS: ReadonlySet<number> = new Set([
  0xef53, 0x58465342, 0x9123683e, 0xf2f52010, 0x2fc12fc1, 0x01021994, 0x794c7630, 0x73717368, 0xe0f5e1e2,
])

/** The absolute path of a command: as given when it has a slash, else the first executable file in the search path. */
export function resolveCommand(command: string, searchPath: readonly string[], workingDir: string | undefined): Promise<string> {
  return carryOut(searchCommand(command, searchPath, workingDir))
}

/** Checks the files that a launch names. Gives the program's absolute path. */
export function checkFiles(config: LaunchConfig): Promise<string> {
  return carryOut(searchFiles(config))
}

/** The same in this very turn of the event loop, for files that are `areLocal`. */
export function checkFilesNow(config: LaunchConfig): string {
  const search = searchFiles(config)
  let step = search.next()
  while (step.done !== true) step = search.next(lookNow(step.value))
  return step.value
}

/** Names all that `checkFiles` depends on. */
export function filesKey({ command: [command], searchPath, workingDir, stdinFile }: LaunchConfig): string {
  return JSON.stringify([command, searchPath, workingDir, stdinFile])
}

/**
 * True when every place where `checkFiles` has just looked and found `program` lies on this machine: no other one can keep
 * whoever looks there waiting.
 */
export function areLocal({ command: [command], searchPath, workingDir = '/', stdinFile }: LaunchConfig, program: string): boolean {
  const directories = command.includes('/') ? [] : searchPath.map((path) => resolve(workingDir, path))
  const searched = directories.slice(0, directories.indexOf(dirname(program)) + 1)
  return [workingDir, ...searched, program, ...(stdinFile === undefined ? [] : [stdinFile])].every(isLocal)
}

function* searchFiles({ command, searchPath, workingDir, stdinFile }: LaunchConfig): Search {
  if (workingDir !== undefined) {
    const found = yield workingDir
    if (found === 'missing') throw new StartError('WorkingDirMissing', `${workingDir}: no such directory`)
    if (found !== 'directory') throw new StartError('WorkingDirMissing', `${workingDir}: not a directory`)
  }
  if (stdinFile !== undefined && (yield stdinFile) === 'missing') throw new StartError('StdinMissing', `${stdinFile}: no such file`)
  return yield* searchCommand(command[0], searchPath, workingDir)
}

function* searchCommand(command: string, searchPath: readonly string[], workingDir: string | undefined): Search {
  if (command === '') throw new StartError('CommandNotFound', 'The command is empty')
  if (command.includes('/')) {
    const path = isAbsolute(command) ? command : resolve(workingDir ?? '/', command)
    const found = yield path
    if (found === 'missing') throw new StartError('CommandNotFound', `${path}: no such file`)
    if (found !== 'program') throw new StartError('CommandNotExecutable', `${path}: not an executable file`)
    return path
  }
  let unusable: string | undefined
  for (const directory of searchPath) {
    const path = join(isAbsolute(directory) ? directory : resolve(workingDir ?? '/', directory), command)
    const found = yield path
    if (found === 'program') return path
    if (found !== 'missing') unusable ??= path
  }
  if (unusable !== undefined) throw new StartError('CommandNotExecutable', `${unusable}: not an executable file`)
  throw new StartError('CommandNotFound', `"${command}" is in none of ${searchPath.join(', ') || '(an empty search path)'}`)
}

async function carryOut(search: Search): Promise<string> {
  let step = search.next()
  while (step.done !== true) step = search.next(await look(step.value))
  return step.value
}

async function look(path: string): Promise<Found> {
  try {
    const found = await stat(path)
    if (!found.isFile()) return found.isDirectory() ? 'directory' : 'other'
  } catch (err) {
    if (isUnreachable(err)) return 'missing'
    throw err
  }
  // For root access() says yes when any execute bit is set; for others it looks at their own rights.
  return access(path, constants.X_OK).then(
    () => 'program',
    () => 'other',
  )
}

function lookNow(path: string): Found {
  try {
    const found = statSync(path)
    if (!found.isFile()) return found.isDirectory() ? 'directory' : 'other'
  } catch (err) {
    if (isUnreachable(err)) return 'missing'
    throw err
  }
  try {
    accessSync(path, constants.X_OK)
    return 'program'
  } catch {
    return 'other'
  }
}

function isUnreachable(err: unknown): boolean {
  return hasCode(err, 'ENOENT') || hasCode(err, 'ENOTDIR') || hasCode(err, 'EACCES') || hasCode(err, 'ELOOP')
}

function isLocal(path: string): boolean {
  try {
    return LOCAL_FILE_SYSTEMS.has(statfsSync(path).type)
  } catch (err) {
    // What isn't there is looked for without harm where everything else is local.
    return isUnreachable(err)
  }
}
