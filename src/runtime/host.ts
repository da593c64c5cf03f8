import { accessSync, constants, readFileSync } from 'node:fs'
import { getPriority } from 'node:os'
import { join } from 'node:path'
import nodeProcess from 'node:process'
import type { HostGap, Identity, LaunchConfig } from './runtime.ts'
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
  /** Shims are made dear to the out-of-memory killer's eye, so each launch sets the value back. */
  readonly protectsShims: boolean
  /** True when the server itself has exactly this user and these groups. */
  isOwn(identity: Identity): boolean
}

const TOOL_DIRECTORIES = ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/usr/local/bin', '/usr/local/sbin']
const TOOLS = [
  'setsid',
  'setpriv',
  'prlimit',
  'nice',
  'ionice',
  'taskset',
  'mkfifo',
  'fallocate',
  'flock',
  'getent',
  'head',
  'mkdir',
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
  const groups = new Set((nodeProcess.getgroups?.() ?? []).filter((group) => group !== gid))
  return {
    uid,
    // dash where there is one: the shim's text was measured with it, and it is the smallest.
    shell: ['/usr/bin/dash', '/bin/dash'].find(isExecutable) ?? '/bin/sh',
    tools,
    nice: getPriority(),
    oomScoreAdj: Number(readFileSync('/proc/self/oom_score_adj', 'latin1')),
    hardNofile: hardLimit('Max open files'),
    protectsShims: uid === 0,
    isOwn: (identity) => {
      const wanted = identity.supplementalGroups.filter((group) => group !== gid)
      return identity.uid === uid && identity.gid === gid && wanted.length === groups.size && wanted.every((group) => groups.has(group))
    },
  }
}

/** Refuses what the server has no right or no tool to do. */
export function checkPermitted(config: LaunchConfig, host: HostTools): void {
  const missing = neededTools(config, host).find((name) => !host.tools.has(name))
  if (missing !== undefined)
    throw new StartError('HostFailure', `This host has no "${missing}" command, which a field of this process needs`)
  if (host.uid === 0) return
  const refuse = (what: string): never => {
    throw new StartError('NotPermitted', `${what} needs a server that runs as root; this one runs as user ${host.uid}`)
  }
  const { identity, nice, ioPriority, oomScoreAdj, capabilities, rlimits } = config
  if (identity !== undefined && !host.isOwn(identity)) {
    if (identity.uid !== host.uid) refuse(`Running as user ${identity.user}`)
    refuse(`Running with other groups than the server's`)
  }
  if (nice !== undefined && nice < host.nice) refuse(`A nice value below ${host.nice}`)
  if (ioPriority?.class === 'RealTime') refuse('The I/O class RealTime')
  if (oomScoreAdj !== undefined && oomScoreAdj < host.oomScoreAdj) refuse(`An oomScoreAdj below ${host.oomScoreAdj}`)
  if ((capabilities?.add.length ?? 0) > 0) refuse('Adding capabilities')
  const nofile = rlimits?.nofile?.hard
  if (nofile !== undefined && (nofile === 'unlimited' || nofile > host.hardNofile))
    refuse(`A hard limit of nofile above ${host.hardNofile}`)
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
  if (host.uid !== 0) {
    gaps.push({ field: 'identity', message: 'identity: the server does not run as root, so processes can only run as its own user' })
    gaps.push({ field: 'capabilities', message: 'capabilities: the server does not run as root, so it can add none' })
  }
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

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    // Whatever the reason, it can't be used.
    return false
  }
}

function hardLimit(name: string): number {
  const line = readFileSync('/proc/self/limits', 'latin1')
    .split('\n')
    .find((each) => each.startsWith(name))
  const hard = line?.slice(name.length).trim().split(/\s+/)[1]
  return hard === undefined || hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard)
}
