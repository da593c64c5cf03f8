import { readFileSync } from 'node:fs'
import { getPriority } from 'node:os'
import { join } from 'node:path'
import nodeProcess from 'node:process'
import { isExecutable } from '../base/executable.ts'
import { capabilityName, effectiveCapabilities } from './capabilities.ts'
import type { HostGap, Identity, LaunchConfig, Rlimit } from './runtime.ts'
import { StartError } from './runtime.ts'

/** What the launch of a program can build on: looked at once, when the runtime opens. */
export interface HostTools {
  readonly uid: number
  readonly shell: string
  /** Absolute paths of the tools found, by name. */
  readonly tools: ReadonlyMap<string, string>
  /** The server's own values, which programs would inherit. */
  readonly nice: number
  readonly oomScoreAdj: number
  readonly hardNofile: number
  /** The hard limits that are set, by the names that prlimit has for them. */
  readonly hardLimits: ReadonlyMap<string, number>
  /** The kernel's own bound of nofile, which no privilege lifts. */
  readonly largestNofile: number
  /** Why no program can be given a view of the file system of its own; undefined: it can. */
  readonly noMounts?: string | undefined
  /** Shims are made dear to the out-of-memory killer's eye, so each launch sets the value back. */
  readonly protectsShims: boolean
  /** True when the server itself has exactly this user and these groups. */
  isOwn(identity: Identity): boolean
  /** True when the server has this capability, named without `CAP_`. Root of a container lacks some. */
  may(capability: string): boolean
}

const TOOL_DIRECTORIES = ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/usr/local/bin', '/usr/local/sbin']
const TOOLS = [
  'setsid',
  'setpriv',
  'prlimit',
  'nice',
  'ionice',
  'taskset',
  'unshare',
  'nsenter',
  'mount',
  'mkfifo',
  'fallocate',
  'flock',
  'getent',
  'head',
  'mkdir',
  'mount',
  'rm',
] as const
/** Of what is missing only these are needed by every launch. */
const REQUIRED = ['setsid', 'mkfifo'] as const

export function findTools(): HostTools {
  const tools = new Map<string, string>()
  for (const name of TOOLS) {
    const path = TOOL_DIRECTORIES.map((directory) => join(directory, name)).find(isExecutable)
    if (path !== undefined) tools.set(name, path)
  }
  for (const name of REQUIRED) {
    if (!tools.has(name))
      throw new Error(`The command "${name}" is missing in ${TOOL_DIRECTORIES.join(', ')}: no process can be run on this host`)
  }
  const uid = nodeProcess.getuid?.() ?? 0
  const gid = nodeProcess.getgid?.() ?? 0
  const capabilities = effectiveCapabilities(readFileSync('/proc/self/status', 'latin1'))
  const hardLimits = readHardLimits()
  const groups = new Set((nodeProcess.getgroups?.() ?? []).filter((group) => group !== gid))
  return {
    uid,
    // dash where there is one: the shim's text was measured with it, and it is the smallest.
    shell: ['/usr/bin/dash', '/bin/dash'].find(isExecutable) ?? '/bin/sh',
    tools,
    nice: getPriority(),
    oomScoreAdj: Number(readFileSync('/proc/self/oom_score_adj', 'latin1')),
    hardNofile: hardLimits.get('nofile') ?? Number.POSITIVE_INFINITY,
    hardLimits,
    largestNofile: Number(readFileSync('/proc/sys/fs/nr_open', 'latin1')),
    protectsShims: uid === 0,
    isOwn: (identity) => {
      const wanted = identity.supplementalGroups.filter((group) => group !== gid)
      return identity.uid === uid && identity.gid === gid && wanted.length === groups.size && wanted.every((group) => groups.has(group))
    },
    may: (capability) => capabilities.has(capability),
  }
}

/** Refuses what the server has no right or no tool to do. */
export function checkPermitted(config: LaunchConfig, host: HostTools): void {
  const missing = neededTools(config, host).find((name) => !host.tools.has(name))
  if (missing !== undefined)
    throw new StartError('HostFailure', `This host has no "${missing}" command, which a field of this process needs`)
  const { identity, nice, ioPriority, oomScoreAdj, capabilities, rlimits } = config
  const needs = (capability: string, what: string): void => {
    if (host.may(capability)) return
    const who = host.uid === 0 ? 'this one is root without it' : `this one runs as user ${host.uid}`
    throw new StartError('NotPermitted', `${what} needs a server with the capability ${capability}; ${who}`)
  }
  if (identity !== undefined && !host.isOwn(identity)) {
    if (identity.uid !== host.uid) needs('SETUID', `Running as user ${identity.user}`)
    needs('SETGID', "Running with other groups than the server's")
  }
  if (nice !== undefined && nice < host.nice) needs('SYS_NICE', `A nice value below ${host.nice}`)
  if (ioPriority?.class === 'RealTime' && !host.may('SYS_NICE')) needs('SYS_ADMIN', 'The I/O class RealTime')
  if (oomScoreAdj !== undefined && oomScoreAdj < host.oomScoreAdj) needs('SYS_RESOURCE', `An oomScoreAdj below ${host.oomScoreAdj}`)
  for (const name of [...(capabilities?.add ?? []), ...(capabilities?.drop ?? [])]) {
    if (capabilityName(name) === undefined) throw new StartError('NotPermitted', `There is no capability "${name}"`)
  }
  for (const name of capabilities?.add ?? []) needs(capabilityName(name) ?? name, `Adding the capability ${name}`)
  if ((capabilities?.drop.length ?? 0) > 0) needs('SETPCAP', 'Dropping capabilities')
  for (const [name, limit] of Object.entries(rlimits ?? {})) checkLimit(name, limit, host, needs)
  if (host.noMounts !== undefined && asksForMounts(config)) {
    throw new StartError(host.may('SYS_ADMIN') ? 'HostFailure' : 'NotPermitted', `${MOUNT_FIELDS}: ${host.noMounts}`)
  }
}

const MOUNT_FIELDS = 'securityContext.readOnlyPaths, hiddenPaths and privateTmp'

/** True when the program is to see another file system than the server does. Writable paths alone change nothing. */
export function asksForMounts({ readOnlyPaths = [], hiddenPaths = [], privateTmp = false }: LaunchConfig): boolean {
  return readOnlyPaths.length + hiddenPaths.length > 0 || privateTmp
}

function checkLimit(name: string, { soft, hard }: Rlimit, host: HostTools, needs: (capability: string, what: string) => void): void {
  const number = (value: number | 'unlimited'): number => (value === 'unlimited' ? Number.POSITIVE_INFINITY : value)
  if (number(soft) > number(hard)) throw new StartError('NotPermitted', `rlimits.${name}: the soft limit is above the hard one`)
  const most = host.hardLimits.get(name)
  if (most !== undefined && number(hard) > most) needs('SYS_RESOURCE', `A hard limit of ${name} above ${most}`)
  if (name === 'nofile' && hard !== 'unlimited' && hard > host.largestNofile) {
    throw new StartError('NotPermitted', `rlimits.nofile: the kernel allows ${host.largestNofile} at most (fs.nr_open)`)
  }
}

/** Each field that this host can't honour, with a sentence for people. */
export function hostGapsOf(host: HostTools): HostGap[] {
  const gaps: HostGap[] = []
  const needs = (field: string, tool: string): void => {
    if (!host.tools.has(tool)) gaps.push({ field, message: `${field}: this host has no "${tool}" command` })
  }
  needs('identity', 'setpriv')
  needs('noNewPrivileges', 'setpriv')
  needs('capabilities', 'setpriv')
  needs('rlimits', 'prlimit')
  needs('nice', 'nice')
  needs('ioPriority', 'ionice')
  needs('cpuAffinity', 'taskset')
  const lacks = (field: string, capability: string, what: string, below?: number): void => {
    if (host.may(capability)) return
    const message = `${what}: the server (user ${host.uid}) lacks the capability ${capability}`
    gaps.push({ field, message, ...(below === undefined ? {} : { below }) })
  }
  lacks('identity', 'SETUID', 'securityContext.runAsUser')
  lacks('capabilities', 'SETPCAP', 'securityContext.capabilities')
  lacks('nice.below', 'SYS_NICE', `nice below ${host.nice}`, host.nice)
  if (!host.may('SYS_ADMIN')) lacks('ioPriority.RealTime', 'SYS_NICE', 'ioPriority RealTime')
  lacks('oomScoreAdj.below', 'SYS_RESOURCE', `oomScoreAdj below ${host.oomScoreAdj}`, host.oomScoreAdj)
  if (host.noMounts !== undefined) gaps.push({ field: 'mounts', message: `${MOUNT_FIELDS}: ${host.noMounts}` })
  return gaps
}

function neededTools(config: LaunchConfig, host: HostTools): string[] {
  const tools: string[] = []
  if (config.identity !== undefined && !host.isOwn(config.identity)) tools.push('setpriv')
  if (config.noNewPrivileges === true || config.capabilities !== undefined) tools.push('setpriv')
  if (config.nice !== undefined && config.nice !== host.nice) tools.push('nice')
  if (config.ioPriority !== undefined) tools.push('ionice')
  if (config.cpuAffinity !== undefined) tools.push('taskset')
  if (Object.keys(config.rlimits ?? {}).some((name) => name !== 'nofile')) tools.push('prlimit')
  return tools
}

/** Limits by the words that `/proc/PID/limits` has for them. */
const LIMITS: Readonly<Record<string, string>> = {
  'cpu time': 'cpu',
  'file size': 'fsize',
  'data size': 'data',
  'stack size': 'stack',
  'core file size': 'core',
  'resident set': 'rss',
  processes: 'nproc',
  'open files': 'nofile',
  'locked memory': 'memlock',
  'address space': 'as',
  'file locks': 'locks',
  'pending signals': 'sigpending',
  'msgqueue size': 'msgqueue',
  'nice priority': 'nice',
  'realtime priority': 'rtprio',
  'realtime timeout': 'rttime',
}

function readHardLimits(): ReadonlyMap<string, number> {
  const limits = new Map<string, number>()
  for (const [, words = '', hard] of readFileSync('/proc/self/limits', 'latin1').matchAll(/^Max (.*?) +\S+ +(\d+)\b/gm)) {
    const name = LIMITS[words]
    if (name !== undefined) limits.set(name, Number(hard))
  }
  return limits
}
