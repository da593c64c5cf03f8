import { isDeepStrictEqual } from 'node:util'
import { type Memory, newMemory, parseMemory, type Time } from '../../src/agent/memory.ts'
import { plan } from '../../src/agent/plan.ts'
import type {
  Activity,
  ActivityState,
  AgentEvent,
  DependencyState,
  Observed,
  Plan,
  ProbeName,
  ProbeVerdict,
  Step,
} from '../../src/agent/situation.ts'
import { epochOf, type Millis, timestampOf } from '../../src/base/clock.ts'
import { deepFreeze } from '../../src/base/json.ts'
import type { Instance, Probe, ProcessTemplate } from '../../src/generated/types.ts'
import { attemptOf, type Exit, type InstanceId, type Run, runId } from '../../src/runtime/runtime.ts'

export type Template = Partial<ProcessTemplate>
export type Spec = Partial<Omit<Instance['spec'], 'template'>>

const UID = 'u-1' as InstanceId

export const DEFAULTS: ProcessTemplate = {
  command: ['prog'],
  interpreter: ['/bin/sh', '-ec'],
  searchPath: ['/usr/bin', '/bin'],
  workingDir: '/',
  startDelay: '0s',
  minReadySeconds: 0,
  restartPolicy: 'Always',
  successExitCodes: [0],
  backoff: { initial: '200ms', factor: 2, max: '1m', jitter: 0, resetAfter: '10s' },
  restartLimit: { count: 0, window: '1m', action: 'GiveUp' },
  stopSignal: 'TERM',
  terminationGracePeriodSeconds: 10,
  killScope: 'Tree',
  logs: { maxSize: '50Mi', maxFiles: 5, compress: true, mergeStderr: true },
}

export const PROBE: Probe = {
  tcpSocket: { host: '127.0.0.1', port: 1 },
  initialDelaySeconds: 0,
  periodSeconds: 1,
  timeoutSeconds: 1,
  successThreshold: 1,
  failureThreshold: 3,
}

/**
 * One Instance, the policy, and a machine that does what the policy says and what the test does to it. Writes down what was done.
 * It looks when something happens and when the policy asked to look again, as the agent does.
 */
export class PolicyWorld {
  instance: Instance
  memory: Memory
  run: Run | undefined
  probes: { [name in ProbeName]?: ProbeVerdict } = {}
  dependencies: DependencyState[] = []
  dependants: string[] = []
  draining = false
  requestedSignal: Observed['requestedSignal'] = undefined
  /** What the next starts come to instead of a run. */
  startError: { readonly reason: string; readonly message: string } | undefined
  /** Signals that the program dies of at once. */
  diesOf: readonly string[] = []
  /** False: the disk is full. */
  takesNotes = true
  /** What was done since `clear`, such as `start 1`, `TERM Tree`, `killTree`, `preStop.1.0`, `forget`. */
  readonly done: string[] = []
  readonly events: AgentEvent[] = []
  last: Plan | undefined
  /** Called with each start before it takes place: where a property test holds its invariants. */
  onStart: (attempt: number) => void = () => {}

  #monotonic: Millis = 1_000_000
  #wall: Millis = Date.parse('2026-01-01T00:00:00.000Z')
  #bootId = 'boot-1'
  #pid = 100
  #activity: { readonly activity: Activity; state: ActivityState } | undefined
  #startFailure: Observed['startFailure']
  #nextLook: Millis | undefined
  #noted: Memory | undefined

  constructor(options: { readonly template?: Template; readonly spec?: Spec } = {}) {
    this.instance = {
      apiVersion: 'pmk.dev/v1',
      kind: 'Instance',
      metadata: {
        name: 'web-0',
        namespace: 'default',
        uid: UID,
        resourceVersion: '1',
        generation: 1,
        creationTimestamp: this.now,
        finalizers: ['pmk.dev/stop'],
      },
      spec: {
        process: 'web',
        index: 0,
        nodeName: 'here',
        revision: 'web-1',
        desiredState: 'Running',
        suspend: false,
        ...options.spec,
        template: { ...DEFAULTS, ...options.template },
      },
    }
    this.memory = newMemory(this.time)
  }

  get now(): string {
    return timestampOf(this.#wall)
  }

  get monotonic(): Millis {
    return this.#monotonic
  }

  get time(): Time {
    return { now: this.now, monotonic: this.#monotonic, bootId: this.#bootId }
  }

  get activity(): Activity | undefined {
    return this.#activity?.state.state === 'running' ? this.#activity.activity : undefined
  }

  get alive(): boolean {
    return this.run !== undefined && (this.run.state === 'running' || this.run.leftovers)
  }

  get standing(): Plan['standing'] | undefined {
    return this.last?.standing
  }

  /** When the policy will look again, from now. */
  get wait(): Millis | undefined {
    return this.#nextLook === undefined ? undefined : this.#nextLook - this.#monotonic
  }

  causes(): readonly string[] {
    return this.memory.transitions.map(({ cause }) => cause)
  }

  clear(): void {
    this.done.length = 0
    this.events.length = 0
  }

  /** Looks, and does what is to be done, until there is nothing more. */
  look(): void {
    for (let turn = 0; turn < 30; turn++) {
      const startFailure = this.#startFailure
      this.#startFailure = undefined
      const observed: Observed = {
        run: this.run,
        probes: this.probes,
        dependencies: this.dependencies,
        dependants: this.dependants,
        draining: this.draining,
        ...(startFailure === undefined ? {} : { startFailure }),
        ...(this.requestedSignal === undefined ? {} : { requestedSignal: this.requestedSignal }),
        ...(this.#activity === undefined ? {} : { activity: this.#activity.state }),
      }
      // A plan that changed its input would throw.
      deepFreeze(this.memory)
      const next = plan(this.instance, this.memory, observed, this.time)
      const again = plan(this.instance, this.memory, observed, this.time)
      if (!isDeepStrictEqual(next, again)) throw new Error('plan does not give the same answer twice')
      this.last = next
      // As it would come back from disk.
      this.memory = parseMemory(JSON.stringify(next.memory)) ?? newMemory(this.time)
      // What is followed by an effect is on disk before it, if the disk takes it; the rest may be lost.
      if (next.steps.length > 0 && this.takesNotes) this.#noted = this.memory
      this.events.push(...next.events)
      this.#sync(next.activity)
      this.#nextLook = next.lookAgainAfter === undefined ? undefined : this.#monotonic + next.lookAgainAfter
      const [step] = next.steps
      if (step === undefined) return
      this.#carryOut(step)
      if (step.type === 'forget') return
    }
    throw new Error(`The policy never comes to rest: ${this.done.slice(-10).join(', ')}`)
  }

  /** Lets time pass; looks whenever the policy asked for it. */
  pass(by: Millis): void {
    const end = this.#monotonic + by
    for (let looks = 0; ; looks++) {
      if (looks > 20_000) throw new Error('The policy looks without a pause')
      const next = this.#nextLook
      if (next === undefined || next > end) break
      this.#advance(Math.max(next, this.#monotonic))
      this.#nextLook = undefined
      this.look()
    }
    this.#advance(end)
  }

  /** The wall clock is set. */
  jump(by: Millis): void {
    this.#wall += by
  }

  exit(
    exit:
      | { readonly code: number; readonly oomKills?: number }
      | { readonly signal: string; readonly oomKills?: number }
      | { readonly unknown: 'ShimLost' | 'Reboot' | 'Forked' },
    leftovers = false,
  ): void {
    this.#end(exit, leftovers)
    this.look()
  }

  /** What the main process left behind ends by itself. */
  leftoversGo(): void {
    if (this.run?.state === 'exited') this.run = { ...this.run, leftovers: false }
    this.look()
  }

  verdict(name: ProbeName, passing: boolean, message = 'connection refused'): void {
    this.probes = { ...this.probes, [name]: { passing, message: passing ? '' : message } }
    this.look()
  }

  hook(ok: boolean, message = 'false exited with code 1'): void {
    if (this.#activity?.state.state !== 'running') throw new Error('No hook is under way')
    this.#activity.state = { key: this.#activity.activity.key, state: 'done', ok, message: ok ? '' : message }
    this.look()
  }

  set(spec: Spec, template: Template = {}): void {
    const { metadata } = this.instance
    this.instance = {
      ...this.instance,
      metadata: { ...metadata, generation: metadata.generation + 1 },
      spec: { ...this.instance.spec, ...spec, template: { ...this.instance.spec.template, ...template } },
    }
    this.look()
  }

  /** Somebody sets a field to the present time. */
  ask(field: 'restartedAt' | 'rolloutRestartedAt'): void {
    this.set({ [field]: timestampOf(epochOf(this.now) + this.instance.metadata.generation) })
  }

  delete(gracePeriodSeconds?: number): void {
    const metadata = {
      ...this.instance.metadata,
      deletionTimestamp: this.now,
      ...(gracePeriodSeconds === undefined ? {} : { deletionGracePeriodSeconds: gracePeriodSeconds }),
    }
    this.instance = { ...this.instance, metadata }
    this.look()
  }

  depend(met: boolean, attempts: Readonly<Record<string, number>> = { db: 1 }): void {
    this.dependencies = (this.instance.spec.template.dependsOn ?? []).map(() => ({
      met,
      message: met ? '' : 'Process db is not ready',
      attempts,
    }))
    this.look()
  }

  /** The agent ends and comes back: only the note and the machine are left. */
  restartAgent(options: { readonly loseNote?: boolean; readonly whileAway?: () => void } = {}): void {
    this.#activity = undefined
    this.probes = {}
    this.requestedSignal = undefined
    this.#startFailure = undefined
    options.whileAway?.()
    if (options.loseNote === true) this.memory = newMemory(this.time)
    this.look()
  }

  /** The agent is killed before it has saved what no effect followed from. */
  killAgent(options: { readonly whileAway?: () => void } = {}): void {
    this.memory = this.#noted ?? newMemory(this.time)
    this.restartAgent(options)
  }

  reboot(): void {
    this.#bootId = `${this.#bootId}x`
    this.#monotonic = 5_000
    if (this.run?.state === 'running') this.#end({ unknown: 'Reboot' }, false)
    if (this.run?.state === 'exited') this.run = { ...this.run, startedAtMonotonic: 0, exitedAtMonotonic: 0, leftovers: false }
    this.restartAgent()
  }

  pause(paused: boolean): void {
    if (this.run?.state !== 'running') throw new Error('Nothing runs')
    this.run = { ...this.run, paused }
    this.look()
  }

  die(
    exit: { readonly code: number; readonly oomKills?: number } | { readonly signal: string; readonly oomKills?: number },
    leftovers = false,
  ): void {
    this.#end(exit, leftovers)
  }

  #advance(to: Millis): void {
    this.#wall += to - this.#monotonic
    this.#monotonic = to
  }

  #sync(activity: Activity | undefined): void {
    if (activity?.key === this.#activity?.activity.key) return
    this.#activity = activity && { activity, state: { key: activity.key, state: 'running' } }
    if (activity !== undefined) this.done.push(activity.key)
  }

  #carryOut(step: Step): void {
    switch (step.type) {
      case 'start':
        this.#start(step)
        return
      case 'signal':
        this.done.push(`${step.signal} ${step.scope}`)
        if (this.run?.state === 'running' && this.diesOf.includes(step.signal)) this.#end({ signal: step.signal }, false)
        return
      case 'killTree':
        this.done.push('killTree')
        if (this.run?.state === 'running') this.#end({ signal: 'KILL' }, false)
        else if (this.run !== undefined) this.run = { ...this.run, leftovers: false }
        return
      case 'unpause':
        this.done.push('unpause')
        if (this.run?.state === 'running') this.run = { ...this.run, paused: false }
        return
      case 'forget':
        this.done.push('forget')
        if (this.alive) throw new Error('Forgotten although something of it is alive')
        this.run = undefined
        return
    }
  }

  #start({ attempt, memo }: Step & { readonly type: 'start' }): void {
    const forking = this.instance.spec.template.forking !== undefined
    if (this.run?.state === 'running') throw new Error(`Attempt ${attempt} would be a second run`)
    if (this.run?.leftovers === true && !forking) throw new Error(`Attempt ${attempt} starts beside what ${this.run.id} left behind`)
    if (this.run !== undefined && attempt <= attemptOf(this.run.id)) throw new Error(`Attempt ${attempt} was made already`)
    this.onStart(attempt)
    this.done.push(`start ${attempt}`)
    if (this.startError !== undefined) {
      this.#startFailure = { attempt, ...this.startError }
      return
    }
    this.probes = {}
    this.run = {
      id: runId(UID, attempt),
      instance: UID,
      state: 'running',
      pid: this.#pid++,
      supervised: true,
      paused: false,
      startedAt: this.now,
      startedAtMonotonic: this.#monotonic,
      memo,
    }
  }

  #end(
    exit:
      | { readonly code: number; readonly oomKills?: number }
      | { readonly signal: string; readonly oomKills?: number }
      | { readonly unknown: 'ShimLost' | 'Reboot' | 'Forked' },
    leftovers: boolean,
  ): void {
    if (this.run?.state !== 'running') throw new Error('Nothing runs')
    const { id, instance, startedAt, startedAtMonotonic, memo } = this.run
    this.run = {
      id,
      instance,
      startedAt,
      startedAtMonotonic,
      ...(memo === undefined ? {} : { memo }),
      state: 'exited',
      exit: exitOf(exit, this.now),
      exitedAtMonotonic: this.#monotonic,
      leftovers,
    }
  }
}

function exitOf(
  exit:
    | { readonly code: number; readonly oomKills?: number }
    | { readonly signal: string; readonly oomKills?: number }
    | { readonly unknown: 'ShimLost' | 'Reboot' | 'Forked' },
  at: string,
): Exit {
  if ('code' in exit) return { by: 'code', ...exit, at }
  if ('signal' in exit) return { by: 'signal', ...exit, at }
  return { by: 'unknown', reason: exit.unknown, at }
}
