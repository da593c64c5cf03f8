import { createHash } from 'node:crypto'
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, realpathSync, rmdirSync, statSync, write, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { hasCode, isMissing } from './state-dir.ts'

const writeTo: (fd: number, text: string) => Promise<unknown> = promisify((fd: number, text: string, done: (err: Error | null) => void) =>
  write(fd, text, done),
)

/** One directory of a cgroup2 hierarchy. Reads tell nothing of a group that is gone: it is empty. */
export class Cgroup {
  readonly path: string

  constructor(path: string) {
    this.path = path
  }

  child(name: string): Cgroup {
    return new Cgroup(join(this.path, name))
  }

  children(): Cgroup[] {
    return ifThere(() => readdirSync(this.path, { withFileTypes: true }), [])
      .filter((entry) => entry.isDirectory())
      .map((entry) => this.child(entry.name))
  }

  get name(): string {
    return basename(this.path)
  }

  create(): void {
    mkdirSync(this.path, { recursive: true, mode: 0o755 })
  }

  /** The same beside all else: the kernel takes half a millisecond for each. */
  async createSoon(): Promise<void> {
    await mkdir(this.path, { recursive: true, mode: 0o755 })
  }

  exists(): boolean {
    return statSync(this.path, { throwIfNoEntry: false }) !== undefined
  }

  /** Moves a process here. It waits for the kernel, up to some 20 ms, hence asynchronous. */
  async add(pid: number): Promise<void> {
    const fd = openSync(join(this.path, 'cgroup.procs'), 'w')
    try {
      await writeTo(fd, String(pid))
    } finally {
      closeSync(fd)
    }
  }

  /** All processes in it and below. Zombies aren't listed by the kernel. */
  pids(): number[] {
    const own = ifThere(() => readFileSync(join(this.path, 'cgroup.procs'), 'latin1'), '')
      .split('\n')
      .flatMap((line) => (line === '' ? [] : [Number(line)]))
    // A directory has a link for each one in it, besides its own two.
    const hasChildren = (statSync(this.path, { throwIfNoEntry: false })?.nlink ?? 0) > 2
    return hasChildren ? [...own, ...this.children().flatMap((child) => child.pids())] : own
  }

  freeze(frozen: boolean): void {
    ifThere(() => writeFileSync(join(this.path, 'cgroup.freeze'), frozen ? '1' : '0'), undefined)
  }

  get isFrozen(): boolean {
    return /^frozen 1$/m.test(ifThere(() => readFileSync(join(this.path, 'cgroup.events'), 'latin1'), ''))
  }

  /** Kills all in it and below at once. False: the kernel is too old for that (before 5.14). */
  killAll(): boolean {
    try {
      writeFileSync(join(this.path, 'cgroup.kill'), '1', { flag: 'r+' })
      return true
    } catch (err) {
      if (isMissing(err)) return !this.exists()
      throw err
    }
  }

  /** Processor time of all that ever was in it; undefined when the kernel doesn't count. */
  get cpuSeconds(): number | undefined {
    const usage = /^usage_usec (\d+)$/m.exec(ifThere(() => readFileSync(join(this.path, 'cpu.stat'), 'latin1'), ''))?.[1]
    return usage === undefined ? undefined : Number(usage) / 1e6
  }

  /** Takes it away when neither process nor Instance is in it. */
  removeIfEmpty(): void {
    for (const child of this.children()) if (child.children().length > 0) return
    this.remove()
  }

  /** Takes the group away with those below it. False: something is in it still. */
  remove(): boolean {
    for (const child of this.children()) if (!child.remove()) return false
    try {
      rmdirSync(this.path)
      return true
    } catch (err) {
      if (isMissing(err)) return true
      if (hasCode(err, 'EBUSY')) return false
      throw err
    }
  }
}

/** The group of all that belongs to one data directory: found by its name again after a restart. */
export function findCgroupBase(dataDir: string): Cgroup | undefined {
  const name = `pmk-${createHash('sha256').update(realpathSync(dataDir)).digest('hex').slice(0, 12)}`
  const candidates = candidateParents()
  const existing = candidates.map((parent) => new Cgroup(join(parent, name))).find((group) => group.exists() && isUsable(group))
  if (existing !== undefined) return existing
  return candidates.map((parent) => new Cgroup(join(parent, name))).find(isUsable)
}

/** Mount points of cgroup2 as `/proc/self/mountinfo` lists them. */
export function parseCgroup2Mounts(mountinfo: string): string[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [before, after] = line.split(' - ')
    const path = before?.split(' ')[4]
    if (path === undefined || after?.split(' ')[0] !== 'cgroup2') return []
    return [path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))]
  })
}

/**
 * Where groups of ours may lie, best first. Inside a service the service's own group, which is delegated to it. Else the
 * root, and not the group of the login session that happened to start the server: that one ends with the session.
 */
function candidateParents(): string[] {
  const mounts = parseCgroup2Mounts(readFileSync('/proc/self/mountinfo', 'utf8'))
  const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '/'
  const service = /^(.*\.service)(\/|$)/.exec(own)?.[1]
  const isRootWritable = service === undefined
  return mounts.flatMap((mount) => {
    const inside = service === undefined ? own : service
    return isRootWritable ? [mount, join(mount, inside), join(mount, dirname(inside))] : [join(mount, inside)]
  })
}

function isUsable(group: Cgroup): boolean {
  try {
    group.create()
    return statSync(join(group.path, 'cgroup.freeze'), { throwIfNoEntry: false }) !== undefined
  } catch {
    // Read-only, not ours, not a directory of that kind: the reason doesn't matter, it can't be used.
    return false
  }
}

/** ENODEV is what a file of a group says that was removed while the file was open. */
function ifThere<T>(read: () => T, otherwise: T): T {
  try {
    return read()
  } catch (err) {
    if (isMissing(err) || hasCode(err, 'ENODEV')) return otherwise
    throw err
  }
}
