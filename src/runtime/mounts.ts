import { closeSync, mkdirSync, openSync, readlinkSync } from 'node:fs'
import { chmod, mkdir, readFile, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { runTool, type SpawnChild } from './child.ts'
import { asksForMounts, type HostTools } from './host.ts'
import { type Covers, ENTER_SCRIPT, MOUNT_SCRIPT, type MountPlan, mountWords, planMounts } from './mount-plan.ts'
import { parseMounts, visibleMounts } from './mount-table.ts'
import { commandLineOf, isAlive, type ProcessIdentity } from './proc-stat.ts'
import { type InstanceId, type LaunchConfig, StartError } from './runtime.ts'
import { hasCode, type StateDir } from './state-dir.ts'

/** What is mounted over by a private one. */
const TEMPORARY = { tmp: '/tmp', 'var-tmp': '/var/tmp' } as const

export interface MountsOptions {
  readonly dir: StateDir
  /** Where what covers hidden paths is kept. */
  readonly directory: string
  readonly host: HostTools
  readonly spawn: SpawnChild
}

/** Where a command runs: words in front of it, and a descriptor that they expect as number 4. The caller closes it. */
export interface View {
  readonly words: readonly string[]
  readonly namespace?: number
}

/** Stands in the argument list of whoever is still mounting. */
const MOUNTING = 'pmk-mounts'

/** What programs are to see of the file system other than the server does: as words of the chain that launches them. */
export class Mounts {
  readonly #options: MountsOptions

  constructor(options: MountsOptions) {
    this.#options = options
  }

  /** Why programs can't be given a view of their own here; undefined: they can. Found out by trying. */
  async open(): Promise<string | undefined> {
    const { host, spawn } = this.#options
    const missing = ['unshare', 'mount'].find((name) => !host.tools.has(name))
    if (missing !== undefined) return `this host has no "${missing}" command`
    if (!host.may('SYS_ADMIN')) return `the server (user ${host.uid}) lacks the capability SYS_ADMIN, which mounting needs`
    const { directory, file } = this.#covers
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    await chmod(directory, 0)
    closeSync(openSync(file, 'a', 0))
    const plan: MountPlan = {
      steps: [{ kind: 'must', options: 'bind,ro,nosuid', source: directory, target: directory }],
      checks: [{ expect: 'ro', path: await realpath(directory) }],
    }
    const [unshare = '', ...args] = this.#words(plan, '/')
    const { code, stderr } = await runTool(spawn, unshare, [...args, host.shell, '-c', ':'])
    return code === 0 ? undefined : `this host doesn't let the server mount in a namespace of its own: ${stderr.split('\n', 1)[0] ?? ''}`
  }

  /**
   * Words that stand before a command and run it where all is mounted; undefined when nothing is asked for. StartError when a
   * path isn't there. Links in the paths are followed now, and never again.
   */
  async words(config: LaunchConfig, instance: InstanceId): Promise<readonly string[] | undefined> {
    if (!asksForMounts(config)) return undefined
    const { readOnlyPaths = [], writablePaths = [], hiddenPaths = [], privateTmp = false } = config
    const table = await readFile('/proc/self/mountinfo', 'utf8')
    // Where it lies can't be said in words, so it can't be made sure of either.
    if (table.includes('\uFFFD')) throw new StartError('HostFailure', 'A mount of this host has a name that is not UTF-8')
    const request = {
      readOnlyPaths: await Promise.all(readOnlyPaths.map((path) => found('readOnlyPaths', path))),
      writablePaths: await Promise.all(writablePaths.map((path) => found('writablePaths', path))),
      hiddenPaths: await Promise.all(hiddenPaths.map(hidden)),
      privatePaths: privateTmp ? await this.#privateTmp(instance) : new Map<string, string>(),
    }
    return this.#words(planMounts(request, visibleMounts(parseMounts(table)), this.#covers), config.workingDir ?? '/')
  }

  /**
   * Where this process is, mounts it made itself included; undefined when it has gone, or has not mounted all yet. A number that
   * comes back as another process is no danger: the start time is looked at when the namespace is held.
   */
  enter(main: ProcessIdentity, workingDir: string | undefined): View | undefined {
    const { host } = this.#options
    const nsenter = host.tools.get('nsenter')
    if (nsenter === undefined) return undefined
    let namespace: number
    try {
      if (readlinkSync(`/proc/${main.pid}/ns/mnt`) === readlinkSync('/proc/self/ns/mnt')) return undefined
      namespace = openSync(`/proc/${main.pid}/ns/mnt`, 'r')
    } catch (err) {
      // Gone, or not ours to look at: a view of the same kind can always be made.
      if (hasCode(err, 'ENOENT') || hasCode(err, 'ESRCH') || hasCode(err, 'EACCES') || hasCode(err, 'EPERM')) return undefined
      throw err
    }
    const isReady = commandLineOf(main.pid)?.includes(`\0${MOUNTING}\0`) === false
    if (!isReady || !isAlive(main)) {
      closeSync(namespace)
      return undefined
    }
    const words = [nsenter, '--mount=/proc/self/fd/4', '--', host.shell, '-c', ENTER_SCRIPT, 'pmk-enter', workingDir ?? '/']
    return { words, namespace }
  }

  get #covers(): Covers {
    const { directory } = this.#options
    return { directory: join(directory, 'directory'), file: join(directory, 'file') }
  }

  async #privateTmp(instance: InstanceId): Promise<ReadonlyMap<string, string>> {
    const places = new Map<string, string>()
    for (const [name, path] of Object.entries(TEMPORARY)) {
      // Where one is a link to the other, or isn't there, one is enough.
      const at = await realpath(path).catch(ignoreMissing)
      if (at === undefined || places.has(at)) continue
      const directory = join(this.#options.dir.temporary(instance), name)
      await mkdir(directory, { recursive: true, mode: 0o700 })
      await chmod(directory, 0o1777)
      places.set(at, directory)
    }
    return places
  }

  #words(plan: MountPlan, workingDir: string): readonly string[] {
    const { host } = this.#options
    const namespace = [host.tools.get('unshare') ?? '', '--mount', '--propagation', 'slave', '--']
    return [
      ...namespace,
      host.shell,
      '-c',
      MOUNT_SCRIPT,
      'pmk-mounts',
      host.tools.get('mount') ?? '',
      workingDir,
      ...mountWords(plan),
      '--',
    ]
  }
}

async function found(field: string, path: string): Promise<string> {
  const real = await realpath(path).catch(ignoreMissing)
  if (real === undefined) throw new StartError('PathMissing', `securityContext.${field}: ${path}: no such file or directory`)
  return real
}

async function hidden(path: string): Promise<{ readonly path: string; readonly isDirectory: boolean }> {
  const real = await found('hiddenPaths', path)
  // That all is mounted is read from there.
  if (real === '/' || real === '/proc') throw new StartError('NotPermitted', `securityContext.hiddenPaths: ${real} can not be hidden`)
  return { path: real, isDirectory: (await stat(real)).isDirectory() }
}

function ignoreMissing(err: unknown): undefined {
  if (hasCode(err, 'ENOENT') || hasCode(err, 'ENOTDIR') || hasCode(err, 'ELOOP')) return undefined
  throw err
}
