import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, realpathSync } from 'node:fs'
import nodeProcess from 'node:process'
import type { Clock } from '../base/clock.ts'
import { Cgroup } from './cgroup.ts'
import { Controllers } from './cgroup-controllers.ts'
import { type CgroupPlace, type CgroupSurroundings, cgroupPlaces, controllersOfV1, ownDirectory } from './cgroup-places.ts'
import { CgroupTrees, LAUNCHER_GROUP } from './cgroup-trees.ts'
import { runTool, type SpawnChild } from './child.ts'
import type { HostTools } from './host.ts'
import type { Launcher } from './launcher.ts'
import type { ProcessTrees } from './process-tree.ts'
import type { InstanceId } from './runtime.ts'
import { ScannedTrees } from './scanned-trees.ts'

/** Of a host on which nobody else has mounted the hierarchy. Not in the data directory: a backup or an `rm -r` would walk through it. */
const OWN_MOUNT = '/run/pmk/cgroup'

export interface OpenTreesOptions {
  readonly dataDir: string
  readonly clock: Clock
  readonly host: HostTools
  readonly spawn: SpawnChild
  readonly launcher: Launcher
  readonly known: ReadonlySet<InstanceId>
  /** False: cgroups aren't used. */
  readonly cgroups: boolean
}

/** Chooses how trees are tracked on this host, and ends commands that a server that died had not ended yet. */
export async function openTrees(options: OpenTreesOptions): Promise<ProcessTrees> {
  const { clock, known, cgroups } = options
  const scanned = new ScannedTrees({ clock })
  await scanned.killMarked((marker) => {
    const [instance, rest] = marker.split('.exec-')
    return rest !== undefined && known.has(instance as InstanceId)
  })
  const found = cgroups ? ((await findBase(options)) ?? (await findInOwnMount(options))) : undefined
  if (found === undefined) return scanned
  const { base, top, noControllers, self, own } = found
  const controllers = new Controllers({ base, top, own, forbidden: noControllers, elsewhere: controllersOfV1(self) })
  await controllers.open()
  const trees = new CgroupTrees({ base, controllers, clock, scanned })
  await trees.sweep(known)
  return trees
}

interface Found {
  /** Of all that belongs to one data directory: found by its name again after a restart. */
  readonly base: Cgroup
  readonly top: Cgroup
  readonly own: Cgroup | undefined
  readonly noControllers: string | undefined
  readonly self: string
}

/** Where groups of this data directory are in use already; else the first place where groups can be made, and entered. */
async function findBase({ dataDir, host, launcher }: OpenTreesOptions): Promise<Found | undefined> {
  const surroundings = surroundingsOf(host.uid)
  const places = cgroupPlaces(surroundings).map((place) => ({ ...place, base: baseIn(place, dataDir) }))
  const isInUse = ({ base }: { readonly base: Cgroup }): boolean => base.children().some((group) => group.name !== LAUNCHER_GROUP)
  const directory = ownDirectory(surroundings)
  const own = directory === undefined ? undefined : new Cgroup(directory)
  for (const place of [...places.filter(isInUse), ...places.filter((each) => !isInUse(each))]) {
    if (!(await isUsable(place.base, launcher))) continue
    return { base: place.base, top: topOf(place, places), own, noControllers: place.noControllers, self: surroundings.self }
  }
  return undefined
}

/** Where groups of this data directory may lie on this host; most of them don't exist. */
export function cgroupBases(dataDir: string): readonly Cgroup[] {
  return cgroupPlaces(surroundingsOf(nodeProcess.getuid?.() ?? 0)).map((place) => baseIn(place, dataDir))
}

function baseIn({ path }: CgroupPlace, dataDir: string): Cgroup {
  return new Cgroup(path).child(`pmk-${createHash('sha256').update(realpathSync(dataDir)).digest('hex').slice(0, 12)}`)
}

function surroundingsOf(uid: number): CgroupSurroundings {
  return {
    mountinfo: readFileSync('/proc/self/mountinfo', 'utf8'),
    self: readFileSync('/proc/self/cgroup', 'utf8'),
    isRoot: uid === 0,
  }
}

/** Above the place itself only what is a place too may be changed: of a delegated group the parent is somebody else's. */
function topOf(place: CgroupPlace, places: readonly CgroupPlace[]): Cgroup {
  const above = places.filter(({ path }) => place.path === path || place.path.startsWith(`${path}/`))
  const [highest = place] = above.toSorted((a, b) => a.path.length - b.path.length)
  return new Cgroup(highest.path)
}

async function isUsable(base: Cgroup, launcher: Launcher): Promise<boolean> {
  const isNew = !base.exists()
  try {
    const group = base.child(LAUNCHER_GROUP)
    group.create()
    if (group.read('cgroup.freeze') === undefined) return false
    await group.add(await launcher.start())
    return true
  } catch {
    // Read-only, not ours, not to be entered: the reason doesn't matter, it can't be used.
    if (isNew && base.exists()) base.removeIfEmpty()
    return false
  }
}

async function findInOwnMount(options: OpenTreesOptions): Promise<Found | undefined> {
  return (await mountOwn(options)) ? findBase(options) : undefined
}

/** Root on a host with cgroup v1 only mounts a hierarchy of its own. It stays, and the next server finds it among the mounts. */
async function mountOwn({ host, spawn }: OpenTreesOptions): Promise<boolean> {
  const mount = host.tools.get('mount')
  // Where it is mounted, and can't be used, somebody wants it so.
  if (/ - cgroup2 /.test(readFileSync('/proc/self/mountinfo', 'utf8'))) return false
  if (host.uid !== 0 || mount === undefined || !/\bcgroup2$/m.test(readFileSync('/proc/filesystems', 'latin1'))) return false
  try {
    mkdirSync(OWN_MOUNT, { recursive: true, mode: 0o755 })
  } catch {
    // A read-only system has no room for it.
    return false
  }
  const { code } = await runTool(spawn, mount, ['-t', 'cgroup2', 'none', OWN_MOUNT])
  return code === 0
}
