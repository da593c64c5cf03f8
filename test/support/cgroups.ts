import { accessSync, constants, readFileSync } from 'node:fs'
import { join } from 'node:path'
import nodeProcess from 'node:process'
import { cgroupPlaces, controllersOfV1, parseCgroup2Mounts } from '../../src/runtime/cgroup-places.ts'

const mountinfo = readFileSync('/proc/self/mountinfo', 'utf8')
const self = readFileSync('/proc/self/cgroup', 'utf8')
const isRoot = nodeProcess.getuid?.() === 0

/** Where cgroups can be made on this host, best first. */
const usable = cgroupPlaces({ mountinfo, self, isRoot }).filter(({ path }) => isWritable(join(path, 'cgroup.procs')))

export const hasCgroups: boolean = parseCgroup2Mounts(mountinfo).length > 0 && usable.length > 0

/** Whether limits can be enforced: not where controllers belong to cgroup v1. */
export const hasControllers: boolean =
  hasCgroups && !['cpu', 'memory', 'pids'].some((controller) => controllersOfV1(self).has(controller)) && listsAll(usable[0]?.path ?? '')

function listsAll(place: string): boolean {
  const listed = readFileSync(join(place, 'cgroup.controllers'), 'utf8').trim().split(' ')
  return ['cpu', 'memory', 'pids'].every((controller) => listed.includes(controller))
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    // Whatever the reason.
    return false
  }
}
