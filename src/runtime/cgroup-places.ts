import { dirname, join, relative } from 'node:path'

/** A directory of a cgroup2 hierarchy in which groups of ours may be made. */
export interface CgroupPlace {
  readonly path: string
  /** Undefined: controllers may be handed down from here. Else why they must not be. */
  readonly noControllers: string | undefined
}

interface Mount {
  readonly path: string
  /** What of the hierarchy is mounted there. */
  readonly root: string
}

/** What is told of the process itself. */
export interface CgroupSurroundings {
  /** Text of `/proc/self/mountinfo`. */
  readonly mountinfo: string
  /** Text of `/proc/self/cgroup`. */
  readonly self: string
  readonly isRoot: boolean
}

/** Where a server that gives controllers to its Instances moves itself, and whoever is in its own group, to be out of the way. */
export const SERVER_LEAF = 'pmk-server'

/** Mounts of cgroup2 that can be written to, as `/proc/self/mountinfo` lists them. */
export function parseCgroup2Mounts(mountinfo: string): readonly Mount[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [before = '', after = ''] = line.split(' - ')
    const [, , , root, path, options] = before.split(' ')
    const [type, , superOptions] = after.split(' ')
    if (root === undefined || path === undefined || type !== 'cgroup2') return []
    const isReadOnly = [options, superOptions].some((each) => each?.split(',').includes('ro'))
    return isReadOnly ? [] : [{ path: unescaped(path), root: unescaped(root) }]
  })
}

/** The path of the group that this process is in, in the one hierarchy of cgroup2; undefined when there is none. */
export function ownCgroup(self: string): string | undefined {
  const path = /^0::(\/.*)$/m.exec(self)?.[1]
  return path?.replace(/ \(deleted\)$/, '')
}

/** Controllers that hierarchies of cgroup v1 hold, and cgroup2 therefore lacks. */
export function controllersOfV1(self: string): ReadonlySet<string> {
  return new Set([...self.matchAll(/^[1-9]\d*:([^:]*):/gm)].flatMap((match) => match[1]?.split(',') ?? []))
}

/**
 * Where groups of ours may lie, best first; whether one can be used is found out by trying.
 *
 * Inside a service that keeps the server in a leaf of its own, the service: it is delegated to us. systemd before 254 has no such
 * leaf, and can't put a new server into a service whose controllers were handed down while its processes live: then root goes beside
 * all services, and a user's server beside the services of its manager. Else the root of the hierarchy, and not the group of
 * the login session that happened to start the server: that one ends with the session.
 */
export function cgroupPlaces({ mountinfo, self, isRoot }: CgroupSurroundings): readonly CgroupPlace[] {
  const own = ownCgroup(self)
  if (own === undefined) return []
  const places = parseCgroup2Mounts(mountinfo).flatMap((mount) => placesIn(mount, own, isRoot))
  return places.filter((place, index) => places.findIndex(({ path }) => path === place.path) === index)
}

/** The directory of the group that this process is in, below one of the mounts; undefined when it lies outside of all. */
export function ownDirectory({ mountinfo, self }: CgroupSurroundings): string | undefined {
  const own = ownCgroup(self)
  if (own === undefined) return undefined
  return parseCgroup2Mounts(mountinfo).flatMap((mount) => inside(mount, own) ?? [])[0]
}

function placesIn(mount: Mount, own: string, isRoot: boolean): readonly CgroupPlace[] {
  const at = (group: string, noControllers?: string): readonly CgroupPlace[] => {
    const path = inside(mount, group)
    return path === undefined ? [] : [{ path, noControllers }]
  }
  const top: CgroupPlace = { path: mount.path, noControllers: undefined }
  const [, service, leaf] = /^(.*\.service)(\/[^/]+)?$/.exec(own) ?? []
  if (service === undefined) {
    const group = own.endsWith(`/${SERVER_LEAF}`) ? dirname(own) : own
    const near = [...at(group), ...at(dirname(group))]
    return isRoot ? [top, ...near] : near
  }
  if (leaf !== undefined) return at(service)
  const manager = /^(.*\/user@\d+\.service)\//.exec(service)?.[1]
  const busy = 'the server has no leaf of its own in its service: systemd makes one from version 254 on (DelegateSubgroup)'
  return [...(isRoot ? [top] : []), ...(manager === undefined ? [] : at(manager)), ...at(service, busy)]
}

function inside(mount: Mount, group: string): string | undefined {
  const below = relative(mount.root, group)
  return below === '..' || below.startsWith('../') ? undefined : join(mount.path, below)
}

function unescaped(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}
