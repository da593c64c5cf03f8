import { parseQuantity } from '../base/quantity.ts'
import type { ProcessTemplate, RlimitValue } from '../generated/types.ts'
import type { Identity, LaunchConfig, Limits, LogConfig, Rlimit } from '../runtime/runtime.ts'
import { expand } from './expand.ts'

type Env = Readonly<Record<string, string>>

export function logConfigOf({ logs }: ProcessTemplate): LogConfig {
  return {
    maxSize: parseQuantity(logs.maxSize) ?? 50 * 1024 * 1024,
    maxFiles: logs.maxFiles,
    compress: logs.compress,
    mergeStderr: logs.mergeStderr,
  }
}

/** In the units of the runtime. Quantities were validated when they were stored. */
export function limitsOf({ resources }: ProcessTemplate): Limits {
  const { cpu, memory, pids } = resources?.limits ?? {}
  return {
    ...(cpu === undefined ? {} : { cpu: parseQuantity(cpu) ?? 0 }),
    ...(memory === undefined ? {} : { memory: parseQuantity(memory) ?? 0 }),
    ...(pids === undefined ? {} : { pids }),
  }
}

/** argv, with variables replaced in command and args as in a Pod. A script is taken as it is: its `$` are the shell's. */
export function commandOf({ command, args = [], script, interpreter }: ProcessTemplate, env: Env): readonly [string, ...string[]] {
  const expanded = args.map((word) => expand(word, env))
  if (script !== undefined && script !== '') return [...interpreter, script, ...expanded]
  const [program, ...rest] = command ?? ['']
  return [expand(program ?? '', env), ...rest.map((word) => expand(word, env)), ...expanded]
}

export function surroundingsOf(template: ProcessTemplate, identity: Identity): Omit<LaunchConfig, 'command' | 'env'> {
  const { securityContext, rlimits, nice, ioPriority, oomScoreAdj, cpuAffinity, searchPath, workingDir } = template
  const { runAsUser, runAsGroup, supplementalGroups, umask, noNewPrivileges, capabilities } = securityContext ?? {}
  const { readOnlyPaths, writablePaths, hiddenPaths, privateTmp } = securityContext ?? {}
  const ownUser = runAsUser === undefined && runAsGroup === undefined && supplementalGroups === undefined
  return {
    searchPath,
    workingDir,
    umask: umask ?? '0022',
    ...(ownUser ? {} : { identity }),
    ...(noNewPrivileges === true ? { noNewPrivileges } : {}),
    ...(capabilities === undefined ? {} : { capabilities: { add: capabilities.add ?? [], drop: capabilities.drop ?? [] } }),
    ...(readOnlyPaths === undefined ? {} : { readOnlyPaths }),
    ...(writablePaths === undefined ? {} : { writablePaths }),
    ...(hiddenPaths === undefined ? {} : { hiddenPaths }),
    ...(privateTmp === true ? { privateTmp } : {}),
    ...(rlimits === undefined
      ? {}
      : { rlimits: Object.fromEntries(Object.entries(rlimits).map(([name, value]) => [name, rlimitOf(value)])) }),
    ...(nice === undefined ? {} : { nice }),
    ...(ioPriority === undefined ? {} : { ioPriority }),
    ...(oomScoreAdj === undefined ? {} : { oomScoreAdj }),
    ...(cpuAffinity === undefined ? {} : { cpuAffinity }),
  }
}

function rlimitOf(value: RlimitValue): Rlimit {
  if (typeof value !== 'object') return { soft: value, hard: value }
  return { soft: value.soft ?? value.hard ?? 'unlimited', hard: value.hard ?? value.soft ?? 'unlimited' }
}
