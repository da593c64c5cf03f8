import type { ConfigMap, Instance, Process } from '../../src/generated/types.ts'
import { isAlive, type Ledger } from './ledger.ts'
import { told } from './manifests.ts'

/** What is stored at one moment. */
export interface Snapshot {
  readonly processes: ReadonlyMap<string, Process>
  readonly instances: readonly Instance[]
  readonly configs: ReadonlyMap<string, ConfigMap>
}

/** Why the host is not what is stored, one line each; empty: it has come to rest. `orphaned`: Processes deleted without their Instances. */
export function unrest(snapshot: Snapshot, ledger: Ledger, orphaned: ReadonlySet<string>): readonly string[] {
  const reasons: string[] = []
  for (const process of snapshot.processes.values()) {
    const { name } = process.metadata
    if (process.metadata.deletionTimestamp !== undefined) reasons.push(`${name} is being deleted`)
    else reasons.push(...ofProcess(process, snapshot, ledger).map((reason) => `${name}: ${reason}`))
  }
  for (const instance of snapshot.instances) {
    const { process } = instance.spec
    if (!snapshot.processes.has(process) && !orphaned.has(process)) reasons.push(`${instance.metadata.name} is there without its Process`)
  }
  return reasons
}

function ofProcess(process: Process, snapshot: Snapshot, ledger: Ledger): readonly string[] {
  const { spec, status, metadata } = process
  const reasons: string[] = []
  if (status?.observedGeneration !== metadata.generation)
    reasons.push(`generation ${metadata.generation} is not observed (${status?.observedGeneration})`)
  const own = snapshot.instances.filter((instance) => instance.spec.process === metadata.name).sort((a, b) => a.spec.index - b.spec.index)
  const indexes = own.map((instance) => instance.spec.index).join()
  const wanted = Array.from({ length: spec.replicas }, (_, index) => index).join()
  if (indexes !== wanted) reasons.push(`Instances ${indexes || 'none'} instead of ${wanted || 'none'}`)
  const isSuspended = spec.suspend === true
  // A roll waits without end for a program that has ended for good to be ready.
  const hasEnded = own.some(({ status: each }) => each?.phase === 'Succeeded' || each?.phase === 'Failed')
  const shallRun = spec.desiredState === 'Running' && !isSuspended && canRun(process, snapshot) && !(mayEnd(process) && hasEnded)
  let ready = 0
  for (const instance of own) {
    const reason = ofInstance(instance, process, shallRun, snapshot, ledger)
    if (reason !== undefined) reasons.push(`${instance.metadata.name} ${reason}`)
    if (instance.status?.ready === true) ready += 1
  }
  if (shallRun && (status?.updatedReplicas ?? 0) !== spec.replicas)
    reasons.push(`${status?.updatedReplicas} of ${spec.replicas} are updated`)
  // One that is held back from a restart that was asked for counts as not ready.
  if (!isSuspended && (status?.readyReplicas ?? 0) !== ready)
    reasons.push(`readyReplicas is ${status?.readyReplicas}, and ${ready} are ready`)
  return reasons
}

/** Whether nothing that it depends on is in the way. */
function canRun(process: Process, snapshot: Snapshot): boolean {
  return (process.spec.dependsOn ?? []).every(({ name }) => {
    const other = snapshot.processes.get(name)
    if (other === undefined || other.spec.desiredState !== 'Running' || other.spec.suspend || other.spec.replicas === 0) return false
    return mayEnd(other) ? isUp(other, snapshot) : canRun(other, snapshot)
  })
}

/** It may end for good: then whether its dependants run depends on when. */
function mayEnd({ spec }: Process): boolean {
  return spec.restartPolicy !== 'Always'
}

function isUp({ metadata, spec }: Process, { instances }: Snapshot): boolean {
  const own = instances.filter((instance) => instance.spec.process === metadata.name)
  return own.length === spec.replicas && own.every(({ status }) => status?.ready === true)
}

function ofInstance(instance: Instance, process: Process, shallRun: boolean, snapshot: Snapshot, ledger: Ledger): string | undefined {
  const { status, metadata, spec } = instance
  const newest = ledger.of(metadata.uid).at(-1)
  const isRunning = newest !== undefined && isAlive(newest)
  if (metadata.deletionTimestamp !== undefined) return 'is being deleted'
  if (status?.observedGeneration !== metadata.generation)
    return `has generation ${metadata.generation} and status of ${status?.observedGeneration}`
  if (status?.pid !== undefined && (!isRunning || newest.pid !== status.pid))
    return `has pid ${status.pid}, and ${newest?.pid} of attempt ${newest?.attempt} ${isRunning ? 'lives' : 'is dead'}`
  if (isRunning && status?.pid === undefined && spec.template.forking === undefined)
    return `has no pid in its status, and ${newest.pid} of attempt ${newest.attempt} lives`
  if (process.spec.suspend === true) return status?.reason === 'Suspended' ? undefined : `is ${status?.reason} and not Suspended`
  if (process.spec.desiredState === 'Stopped') {
    if (isRunning) return `runs as ${newest.pid} and shall not`
    return status?.phase === 'Stopped' ? undefined : `is ${status?.phase} and not Stopped`
  }
  // It waits for others, and what it does until then is its own affair.
  if (!shallRun) return undefined
  const hasEnded = status?.phase === 'Succeeded' || status?.phase === 'Failed'
  if (mayEnd(process) && hasEnded) return isRunning ? `is ${status.phase} and runs as ${newest.pid}` : undefined
  if (status?.phase !== 'Running' || status.ready !== true)
    return `is ${status?.phase} (${status?.reason}: ${status?.message}), ready ${status?.ready}`
  if (!isRunning) return 'does not run'
  if (status.attempt !== newest.attempt) return `has attempt ${status.attempt}, and ${newest.attempt} runs`
  const gen = told(process.spec.args, 'gen')
  if (newest.gen !== gen) return `runs ${newest.gen} instead of ${gen}`
  const config = configOf(process, snapshot)
  if (newest.config !== config) return `runs with configuration ${newest.config} instead of ${config}`
  return undefined
}

function configOf({ spec }: Process, { configs }: Snapshot): string {
  const name = spec.env?.find((variable) => variable.name === 'TORTURE_CONFIG')?.valueFrom?.configMapKeyRef?.name
  return name === undefined ? '-' : (configs.get(name)?.data?.a ?? '-')
}
