import { execFileSync, spawnSync } from 'node:child_process'
import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import nodeProcess from 'node:process'

const MIB = 1024 * 1024

/** What the data directory lies on: a small disk of its own where that can be had, so that it can be filled. */
export type Disk = 'ext4' | 'tmpfs' | 'shared'

/** Where a world lives: the data directory, and beside it, on another disk, what the harness itself writes. */
export class Place {
  readonly root: string
  /** Of the harness: ledger, locks, counts. */
  readonly scratch: string
  readonly dataDir: string
  readonly disk: Disk
  readonly #mount: string

  constructor(wanted: Disk, size: number = 128 * MIB) {
    this.root = mkdtempSync(join(tmpdir(), 'pmk-torture-'))
    this.scratch = join(this.root, 'scratch')
    this.#mount = join(this.root, 'disk')
    for (const path of [this.scratch, join(this.scratch, 'locks'), join(this.scratch, 'counts'), this.#mount]) mkdirSync(path)
    this.disk = mounted(wanted, this.#mount, join(this.root, 'image'), size)
    this.dataDir = join(this.#mount, 'data')
    mkdirSync(this.dataDir, { mode: 0o700 })
  }

  get canFill(): boolean {
    return this.disk !== 'shared'
  }

  /** Takes all space but a few bytes. Most of it without writing: others' syncs must not have to wait for the ballast. */
  fill(): void {
    for (let spare = MIB; spare < this.available; spare *= 2) {
      // What others take at the same moment may be missing: then a little less.
      if (spawnSync('fallocate', ['-l', String(this.available - spare), this.#ballast], { stdio: 'ignore' }).status === 0) break
    }
    const fd = openSync(this.#ballast, 'a')
    try {
      for (let piece = MIB; piece >= 512; ) {
        try {
          if (writeSync(fd, Buffer.alloc(piece, 1)) < piece) piece /= 2
        } catch (err) {
          if ((err as NodeJS.ErrnoException).code !== 'ENOSPC') throw err
          piece /= 2
        }
      }
    } finally {
      closeSync(fd)
    }
  }

  free(): void {
    rmSync(this.#ballast, { force: true })
  }

  get available(): number {
    const { bavail, bsize } = statfsSync(this.#mount)
    return bavail * bsize
  }

  remove(): void {
    if (this.canFill) execFileSync('umount', [this.#mount], { stdio: 'pipe' })
    rmSync(this.root, { recursive: true, force: true, maxRetries: 3 })
  }

  get #ballast(): string {
    return join(this.#mount, 'ballast')
  }
}

function mounted(wanted: Disk, mount: string, image: string, size: number): Disk {
  if (wanted === 'shared' || nodeProcess.getuid?.() !== 0) return 'shared'
  const tries: Readonly<Record<'ext4' | 'tmpfs', () => void>> = {
    ext4: () => {
      const fd = openSync(image, 'w', 0o600)
      ftruncateSync(fd, size)
      closeSync(fd)
      execFileSync('mkfs.ext4', ['-q', '-F', '-m', '0', image], { stdio: 'pipe' })
      execFileSync('mount', ['-o', 'loop', image, mount], { stdio: 'pipe' })
    },
    tmpfs: () => execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', mount], { stdio: 'pipe' }),
  }
  for (const disk of wanted === 'ext4' ? (['ext4', 'tmpfs'] as const) : (['tmpfs'] as const)) {
    try {
      tries[disk]()
      return disk
    } catch {
      // No right to mount, no loop device, no mkfs: the next one, and the summary says which it was.
    }
  }
  return 'shared'
}
