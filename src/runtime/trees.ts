import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { type Cgroup, findCgroupBase } from './cgroup.ts'
import { CgroupTrees, LAUNCHER_GROUP } from './cgroup-trees.ts'
import { runTool, type SpawnChild } from './child.ts'
import type { HostTools } from './host.ts'
import type { Launcher } from './launcher.ts'
import type { ProcessTrees } from './process-tree.ts'
import type { HostGap, InstanceId } from './runtime.ts'
import { ScannedTrees } from './scanned-trees.ts'

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
export async function openTrees(options: OpenTreesOptions): Promise<{ readonly trees: ProcessTrees; readonly gaps: readonly HostGap[] }> {
  const { clock, known, cgroups } = options
  const scanned = new ScannedTrees({ clock })
  await scanned.killMarked((marker) => {
    const [instance, rest] = marker.split('.exec-')
    return rest !== undefined && known.has(instance as InstanceId)
  })
  const base = cgroups ? await usableBase(options) : undefined
  if (base === undefined) {
    const message = 'processTree: no cgroup2 hierarchy can be used, so a process that forks very fast may get away when it is stopped'
    return { trees: scanned, gaps: [{ field: 'processTree', message }] }
  }
  const trees = new CgroupTrees({ base, clock, scanned })
  await trees.sweep(known)
  return { trees, gaps: [] }
}

async function usableBase(options: OpenTreesOptions): Promise<Cgroup | undefined> {
  const { dataDir, launcher } = options
  const base = findCgroupBase(dataDir) ?? ((await mountOwn(options)) ? findCgroupBase(dataDir) : undefined)
  if (base === undefined) return undefined
  const group = base.child(LAUNCHER_GROUP)
  group.create()
  const pid = await launcher.start()
  return group.add(pid).then(
    () => base,
    // A group that can be made but not entered is of no use, whatever the reason.
    () => undefined,
  )
}

/** Root on a host with cgroup v1 only mounts a hierarchy of its own, without controllers. It stays for the next server. */
async function mountOwn({ dataDir, host, spawn }: OpenTreesOptions): Promise<boolean> {
  const mount = host.tools.get('mount')
  if (host.uid !== 0 || mount === undefined || !/\bcgroup2$/m.test(readFileSync('/proc/filesystems', 'latin1'))) return false
  const directory = join(dataDir, 'cgroup')
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const { code } = await runTool(spawn, mount, ['-t', 'cgroup2', 'none', directory])
  return code === 0
}
