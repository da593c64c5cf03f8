import { jsonEqual } from '../base/json.ts'
import type { Dependency, Instance, Process } from '../generated/types.ts'
import type { DependencyState } from './situation.ts'

/** What the others need to know of an Instance that this agent runs. */
export interface Summary {
  readonly alive: boolean
  readonly started: boolean
  readonly ready: boolean
  readonly succeeded: boolean
  /** It is stopping, or is to be stopped, for good and not for a new start. */
  readonly goingDown: boolean
  readonly attempt: number
}

export interface SurroundingsOptions {
  readonly instancesOf: (process: string) => readonly Instance[]
  readonly dependantsOf: (process: string) => readonly Instance[]
  readonly process: (key: string) => Process | undefined
  /** Look at these again. */
  readonly enqueue: (uid: string) => void
}

/** How the Instances of this node stand to each other: who waits for whom to be there, or to be gone. */
export class Surroundings {
  readonly #options: SurroundingsOptions
  readonly #summaries = new Map<string, Summary>()

  constructor(options: SurroundingsOptions) {
    this.#options = options
  }

  /** Tells the others, if they have to know. */
  publish(instance: Instance, summary: Summary | undefined): void {
    const { uid } = instance.metadata
    const before = this.#summaries.get(uid)
    if (before === summary || (before !== undefined && summary !== undefined && jsonEqual(before, summary))) return
    if (summary === undefined) this.#summaries.delete(uid)
    else this.#summaries.set(uid, summary)
    for (const dependant of this.#options.dependantsOf(processKey(instance))) this.#options.enqueue(dependant.metadata.uid)
    if (before?.alive === summary?.alive && before?.goingDown === summary?.goingDown) return
    for (const { name } of instance.spec.template.dependsOn ?? []) {
      for (const other of this.#options.instancesOf(keyIn(instance, name))) this.#options.enqueue(other.metadata.uid)
    }
  }

  dependencies(instance: Instance): readonly DependencyState[] {
    return (instance.spec.template.dependsOn ?? []).map((dependency) => this.#stateOf(instance, dependency))
  }

  /** Names of those that depend on this one, are going down too, and still run. Circles wait for nobody. */
  dependants(instance: Instance): readonly string[] {
    return this.#options
      .dependantsOf(processKey(instance))
      .filter((other) => {
        const summary = this.#summaries.get(other.metadata.uid)
        return summary?.alive === true && summary.goingDown && !this.#dependsOn(instance, other)
      })
      .map((other) => other.metadata.name)
  }

  #stateOf(instance: Instance, { name, condition }: Dependency): DependencyState {
    const key = keyIn(instance, name)
    const local = this.#options.instancesOf(key)
    const attempts: Record<string, number> = {}
    let good = 0
    for (const other of local) {
      const summary = this.#summaries.get(other.metadata.uid)
      if (summary === undefined) continue
      if (summary.started) attempts[other.metadata.uid] = summary.attempt
      if (isMet(summary, condition)) good += 1
    }
    const process = this.#options.process(key)
    if (process === undefined) return { met: false, message: `Process ${name} does not exist`, attempts }
    const wanted = process.spec.replicas
    if (wanted > 0 && good >= wanted) return { met: true, message: '', attempts }
    // Instances on other nodes are known by what their Process says.
    if (local.length < wanted && isMetElsewhere(process, condition)) return { met: true, message: '', attempts }
    return { met: false, message: unmetMessage(process, condition, good), attempts }
  }

  /** Whether one Process depends on the other, directly or through others. */
  #dependsOn(from: Instance, to: Instance): boolean {
    const target = processKey(to)
    const seen = new Set<string>()
    const open = [from]
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      for (const { name } of next.spec.template.dependsOn ?? []) {
        const key = keyIn(next, name)
        if (key === target) return true
        if (seen.has(key)) continue
        seen.add(key)
        const [example] = this.#options.instancesOf(key)
        if (example !== undefined) open.push(example)
      }
    }
    return false
  }
}

/** `namespace/name` of the Process of an Instance. */
export function processKey(instance: Instance): string {
  return keyIn(instance, instance.spec.process)
}

export function keyIn({ metadata }: Instance, process: string): string {
  return `${metadata.namespace ?? ''}/${process}`
}

function isMet(summary: Summary, condition: Dependency['condition']): boolean {
  switch (condition) {
    case 'Started':
      return summary.started
    case 'Ready':
      return summary.ready
    case 'Succeeded':
      return summary.succeeded
  }
}

function isMetElsewhere({ status }: Process, condition: Dependency['condition']): boolean {
  switch (condition) {
    case 'Started':
      return status?.reason === 'Running' || status?.reason === 'NotReady'
    case 'Ready':
      return status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') === true
    case 'Succeeded':
      return status?.reason === 'Succeeded'
  }
}

function unmetMessage({ metadata, spec }: Process, condition: Dependency['condition'], good: number): string {
  const { name } = metadata
  if (spec.desiredState === 'Stopped') return `Process ${name} is stopped`
  if (spec.replicas === 0) return `Process ${name} has no replicas`
  const word = { Started: 'started', Ready: 'ready', Succeeded: 'succeeded' }[condition]
  return `Process ${name} is not ${word === 'succeeded' ? 'done' : word}${spec.replicas > 1 ? ` (${good} of ${spec.replicas})` : ''}`
}
