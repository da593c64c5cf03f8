import { readFileSync } from 'node:fs'

/** Names this boot of the machine: readings of the monotonic clock compare only within one. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
}
