import {
  accessSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  write,
  writeSync,
} from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
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

  get parent(): Cgroup {
    return new Cgroup(dirname(this.path))
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
    // A directory has a link for each one in it, besides its own two.
    const hasChildren = (statSync(this.path, { throwIfNoEntry: false })?.nlink ?? 0) > 2
    return hasChildren ? [...this.ownPids(), ...this.children().flatMap((child) => child.pids())] : this.ownPids()
  }

  /** Those in it, and not below. */
  ownPids(): number[] {
    return (this.read('cgroup.procs') ?? '').split('\n').flatMap((line) => (line === '' ? [] : [Number(line)]))
  }

  freeze(frozen: boolean): void {
    ifThere(() => this.#writeNow('cgroup.freeze', frozen ? '1' : '0'), undefined)
  }

  /** Somebody has asked for its processes to be frozen; they may not all be yet. Groups above count for themselves. */
  get isFreezing(): boolean {
    return this.read('cgroup.freeze') === '1'
  }

  /** All its processes are frozen, because of its own or of a group above. */
  get isFrozen(): boolean {
    return this.number('cgroup.events', 'frozen') === 1
  }

  /** Kills all in it and below at once. False: the kernel is too old for that (before 5.14). */
  killAll(): boolean {
    try {
      this.#writeNow('cgroup.kill', '1')
      return true
    } catch (err) {
      if (isMissing(err)) return !this.exists()
      throw err
    }
  }

  /** The text of one of its files without the last newline; undefined when there is no such file, or no group. */
  read(file: string): string | undefined {
    return ifThere(() => readFileSync(join(this.path, file), 'latin1').trimEnd(), undefined)
  }

  /** The number in a file, or behind this key in it; undefined when it isn't there. `max` is no number. */
  number(file: string, key?: string): number | undefined {
    const text = this.read(file)
    const found = key === undefined ? text : new RegExp(`^${key} (\\d+)$`, 'm').exec(text ?? '')?.[1]
    return found !== undefined && /^\d+$/.test(found) ? Number(found) : undefined
  }

  isWritable(file: string): boolean {
    try {
      accessSync(join(this.path, file), constants.W_OK)
      return true
    } catch {
      // Read-only, another user's or not there: the reason doesn't matter.
      return false
    }
  }

  /** Asynchronous: making room for a lower limit may take the kernel a while. Throws what the kernel says. */
  async write(file: string, text: string): Promise<void> {
    const handle = await open(join(this.path, file), constants.O_WRONLY)
    try {
      await handle.write(text)
    } finally {
      await handle.close()
    }
  }

  /** Some files can't be read, also not by the one who may write them. None is to be made. */
  #writeNow(file: string, text: string): void {
    const fd = openSync(join(this.path, file), constants.O_WRONLY)
    try {
      writeSync(fd, text)
    } finally {
      closeSync(fd)
    }
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

/** ENODEV is what a file of a group says that was removed while the file was open. */
function ifThere<T>(read: () => T, otherwise: T): T {
  try {
    return read()
  } catch (err) {
    if (isMissing(err) || hasCode(err, 'ENODEV')) return otherwise
    throw err
  }
}
