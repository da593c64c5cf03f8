import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const BLOCK = 4096

/** Why no small disk can be made here, or false. Printed by the runner. */
export const noSmallDisk: string | false = process.getuid?.() === 0 ? false : 'NOT TESTED: only root can mount a small disk'

/** A file system of its own for a test, in memory, that can be filled and made read-only. */
export class SmallDisk {
  readonly path: string
  #isReadOnly = false

  constructor(megabytes = 24) {
    this.path = mkdtempSync(join(tmpdir(), 'pmk-disk-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=700`, 'pmk-test', this.path])
  }

  /** Until not one block is left, also of those that somebody gives back meanwhile. */
  fill(): void {
    const fd = openSync(join(this.path, 'filler'), 'a')
    const blocks = Buffer.alloc(16 * BLOCK)
    try {
      do writeUntilRefused(fd, blocks)
      while (statfsSync(this.path).bavail > 0)
    } finally {
      closeSync(fd)
    }
  }

  free(): void {
    rmSync(join(this.path, 'filler'), { force: true })
  }

  /** For files that are opened from now on; a file system with files open for writing can't be made so itself. */
  makeReadOnly(): void {
    execFileSync('mount', ['--bind', this.path, this.path])
    this.#isReadOnly = true
    execFileSync('mount', ['-o', 'remount,bind,ro', this.path])
  }

  makeWritable(): void {
    if (this.#isReadOnly) execFileSync('umount', ['-l', this.path])
    this.#isReadOnly = false
  }

  remove(): void {
    // Lazily: what a failed test left open must not keep the next one from running.
    execFileSync('umount', ['-l', this.path])
    rmdirSync(this.path)
  }
}

function writeUntilRefused(fd: number, blocks: Buffer): void {
  try {
    for (;;) writeSync(fd, blocks)
  } catch (err) {
    assert.equal((err as NodeJS.ErrnoException).code, 'ENOSPC')
  }
}
