import { access, constants, stat } from 'node:fs/promises'
import { isAbsolute, join, resolve } from 'node:path'
import { type LaunchConfig, StartError } from './runtime.ts'
import { hasCode } from './state-dir.ts'

/** The absolute path of a command: as given when it has a slash, else the first executable file in the search path. */
export async function resolveCommand(command: string, searchPath: readonly string[], workingDir: string | undefined): Promise<string> {
  if (command === '') throw new StartError('CommandNotFound', 'The command is empty')
  if (command.includes('/')) {
    const path = isAbsolute(command) ? command : resolve(workingDir ?? '/', command)
    const found = await look(path)
    if (found === 'missing') throw new StartError('CommandNotFound', `${path}: no such file`)
    if (found === 'not executable') throw new StartError('CommandNotExecutable', `${path}: not an executable file`)
    return path
  }
  let unusable: string | undefined
  for (const directory of searchPath) {
    const path = join(isAbsolute(directory) ? directory : resolve(workingDir ?? '/', directory), command)
    const found = await look(path)
    if (found === 'executable') return path
    if (found === 'not executable') unusable ??= path
  }
  if (unusable !== undefined) throw new StartError('CommandNotExecutable', `${unusable}: not an executable file`)
  throw new StartError('CommandNotFound', `"${command}" is in none of ${searchPath.join(', ') || '(an empty search path)'}`)
}

/** Checks the files that a launch names. Gives the program's absolute path. */
export async function checkFiles(config: LaunchConfig): Promise<string> {
  if (config.workingDir !== undefined) {
    const found = await statOf(config.workingDir)
    if (found === undefined) throw new StartError('WorkingDirMissing', `${config.workingDir}: no such directory`)
    if (!found.isDirectory()) throw new StartError('WorkingDirMissing', `${config.workingDir}: not a directory`)
  }
  if (config.stdinFile !== undefined && (await statOf(config.stdinFile)) === undefined) {
    throw new StartError('StdinMissing', `${config.stdinFile}: no such file`)
  }
  return resolveCommand(config.command[0], config.searchPath, config.workingDir)
}

async function look(path: string): Promise<'executable' | 'not executable' | 'missing'> {
  const found = await statOf(path)
  if (found === undefined) return 'missing'
  if (!found.isFile()) return 'not executable'
  // For root access() says yes when any execute bit is set; for others it looks at their own rights.
  return access(path, constants.X_OK).then(
    () => 'executable',
    () => 'not executable',
  )
}

async function statOf(path: string): Promise<Awaited<ReturnType<typeof stat>> | undefined> {
  try {
    return await stat(path)
  } catch (err) {
    if (hasCode(err, 'ENOENT') || hasCode(err, 'ENOTDIR') || hasCode(err, 'EACCES') || hasCode(err, 'ELOOP')) return undefined
    throw err
  }
}
