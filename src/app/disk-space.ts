import { statfsSync } from 'node:fs'

/** Of the disk of the data directory, less than this much left is short, whichever is less. */
const SHORT_BYTES = 1024 * 1024 * 1024
const SHORT_SHARE = 0.05

/** That the disk of this directory runs out of room, in words; undefined while there is enough. */
export function diskShortage(path: string): string | undefined {
  const { bavail, bsize, blocks, ffree, files } = statfsSync(path)
  const left = bavail * bsize
  if (left < Math.min(SHORT_BYTES, blocks * bsize * SHORT_SHARE)) {
    return `The disk of ${path} has ${Math.floor(left / 1024 / 1024)} MiB left of ${Math.floor((blocks * bsize) / 1024 / 1024)} MiB`
  }
  // Some file systems count no inodes.
  if (files > 0 && ffree < files * SHORT_SHARE) return `The disk of ${path} has ${ffree} inodes left of ${files}`
  return undefined
}
