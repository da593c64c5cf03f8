import { isAbsolute } from 'node:path'
import { hasReason } from '../api/status.ts'
import type { Clock } from '../base/clock.ts'
import type { ResourceClient } from '../client/client.ts'
import type { Instance } from '../generated/types.ts'
import type { ReconcileContext, Reconciler, Result } from '../reconcile/reconciler.ts'
import {
  attemptOf,
  type InstanceId,
  type InstanceRecord,
  type ProcessRuntime,
  type Run,
  type RunId,
  StartError,
} from '../runtime/runtime.ts'
import { ConfigError } from './environment.ts'
import { isSuccess } from './exits.ts'
import type { Launcher } from './launch.ts'
import { limitsOf, logConfigOf } from './launch-template.ts'
import { newMemory, parseMemory, type Time } from './memory.ts'
import type { NoteKeeper } from './note-keeper.ts'
import { plan } from './plan.ts'
import type { AgentEvent, Observed, Plan, Step } from './situation.ts'
import { statusOf } from './status.ts'
import type { StatusWriter } from './status-writer.ts'
import { strayInstance } from './stray.ts'
import type { Summary, Surroundings } from './surroundings.ts'
import type { TrackedInstance } from './tracked-instance.ts'

const STOP_FINALIZER = 'pmk.dev/stop'
/** Of the output of a program that ended badly. */
const TAIL_BYTES = 2048
/** Steps done in one go; more than any sequence without a wait has. */
const MOST_STEPS = 20

export interface InstanceReconcilerOptions {
  readonly instance: (uid: string) => Instance | undefined
  readonly client: Pick<ResourceClient<Instance>, 'patch'>
  readonly runtime: ProcessRuntime
  readonly launcher: Launcher
  readonly notes: NoteKeeper
  readonly surroundings: Surroundings
  readonly statuses: Pick<StatusWriter, 'set' | 'forget'>
  readonly record: (instance: Instance, event: AgentEvent) => void
  readonly track: (uid: string) => TrackedInstance
  readonly untrack: (uid: string) => void
  readonly draining: () => boolean
  readonly clock: Clock
  readonly bootId: string
}

/** Reads, decides, acts and reports, for one Instance at a time. Keys are uids. Between a death and the next start it awaits only the runtime. */
export class InstanceReconciler implements Reconciler {
  readonly #options: InstanceReconcilerOptions

  constructor(options: InstanceReconcilerOptions) {
    this.#options = options
  }

  async reconcile(uid: string, { signal, log }: ReconcileContext): Promise<Result> {
    const tracked = this.#options.track(uid)
    for (let steps = 0; steps < MOST_STEPS; steps++) {
      const record = await this.#options.runtime.get(uid as InstanceId)
      const stored = this.#options.instance(uid)
      const instance = stored ?? (record === undefined ? undefined : strayInstance(record, tracked.instance, this.#options.clock.now()))
      if (instance === undefined) {
        this.#forget(tracked)
        return {}
      }
      tracked.instance = stored ?? tracked.instance
      const decision = await this.#decide(tracked, instance, record)
      await this.#remember(tracked, record?.run, decision)
      if (stored !== undefined && record?.run?.state === 'running') await this.#limit(tracked, stored, record.instance)
      const [step] = decision.steps
      const tell = (): void => this.#tell(tracked, instance, record?.run, decision, stored !== undefined)
      if (step?.type !== 'start') tell()
      if (step === undefined) return decision.lookAgainAfter === undefined ? {} : { requeueAfter: decision.lookAgainAfter }
      log.debug({ instance: instance.metadata.name, step: step.type }, 'Acting on instance')
      try {
        await this.#carryOut(step, tracked, instance, { signal, log })
      } finally {
        // Nothing that is for others may delay a start.
        if (step.type === 'start') tell()
      }
      if (step.type === 'forget') return {}
    }
    return { requeueAfter: 1 }
  }

  async #decide(tracked: TrackedInstance, instance: Instance, record: InstanceRecord | undefined): Promise<Plan> {
    const { surroundings, draining } = this.#options
    const time = this.#time()
    if (tracked.memory === undefined) {
      this.#options.notes.found(tracked.uid, record?.note)
      tracked.memory = parseMemory(record?.note) ?? newMemory(time)
    }
    const { memory, startFailure, requestedSignal } = tracked
    const run = record?.run
    const tail = await this.#tailOf(tracked, instance, run)
    const activity = tracked.activities.state
    const observed: Observed = {
      run,
      probes: memory.run === undefined ? {} : tracked.probes.verdicts(memory.run.attempt),
      dependencies: surroundings.dependencies(instance),
      dependants: surroundings.dependants(instance),
      draining: draining(),
      ...(startFailure === undefined ? {} : { startFailure }),
      ...(requestedSignal === undefined ? {} : { requestedSignal }),
      ...(activity === undefined ? {} : { activity }),
      ...(tail === undefined ? {} : { tail }),
    }
    tracked.startFailure = undefined
    return plan(instance, memory, observed, time)
  }

  /** Keeps what was decided, on disk where a step follows from it. */
  async #remember(tracked: TrackedInstance, run: Run | undefined, decision: Plan): Promise<void> {
    if (decision.steps[0]?.type !== 'forget') await this.#save(tracked, decision)
    tracked.memory = decision.memory
    tracked.runId = run?.id
    tracked.running = run?.state === 'running'
  }

  /** Makes the world outside of the runtime agree with the decision: Events, hooks, probes, neighbours, status. */
  #tell(tracked: TrackedInstance, instance: Instance, run: Run | undefined, decision: Plan, known: boolean): void {
    const { runtime, record, surroundings, statuses } = this.#options
    const { memory, steps, events, activity, probing } = decision
    const [step] = steps
    if (known) for (const event of events) record(instance, event)
    tracked.activities.sync(activity)
    if (run?.state === 'running' && memory.run !== undefined) {
      const { template } = instance.spec
      tracked.probes.sync({ attempt: memory.run.attempt, startedAt: run.startedAtMonotonic, template, probing })
      const logs = JSON.stringify(template.logs)
      if (known && tracked.logs !== logs) runtime.configureLogs(run.instance, logConfigOf(template))
      tracked.logs = logs
    } else tracked.probes.stop()
    surroundings.publish(instance, summaryOf(instance, decision, run))
    // What a start is about to change isn't worth a write of its own.
    if (!known || step?.type === 'start' || step?.type === 'forget') return
    const command = tracked.command ?? instance.status?.command
    const before = tracked.status ?? instance.status
    tracked.status = statusOf({ instance, plan: decision, run, time: this.#time(), command, gaps: runtime.hostGaps(), before })
    statuses.set(tracked.uid, tracked.status)
  }

  /** Limits that have changed take effect on the running program; one that can't be set is tried again at the next look. */
  async #limit(tracked: TrackedInstance, instance: Instance, id: InstanceId): Promise<void> {
    const limits = limitsOf(instance.spec.template)
    const text = JSON.stringify(limits)
    if (tracked.limits === text) return
    try {
      await this.#options.runtime.setLimits(id, limits)
      tracked.limits = text
    } catch (err) {
      const message = `Its limits could not be set: ${err instanceof Error ? err.message : String(err)}`
      this.#options.record(instance, { type: 'Warning', reason: 'FailedSettingLimits', message })
    }
  }

  async #save({ uid, memory: before }: TrackedInstance, { memory, steps }: Plan): Promise<void> {
    const { notes } = this.#options
    if (steps.length > 0) return notes.save(uid, memory)
    // Nothing to remember of what never ran and is not about to: no directory for each that waits to be deleted.
    if (memory !== before && (memory.attempt > 0 || memory.transitions.length > 0)) notes.saveSoon(uid, memory)
  }

  async #carryOut(step: Step, tracked: TrackedInstance, instance: Instance, context: ReconcileContext): Promise<void> {
    const { runtime } = this.#options
    switch (step.type) {
      case 'start':
        return this.#start(step, tracked, instance, context)
      case 'signal':
        await runtime.signal(step.id, step.signal, step.scope)
        return
      case 'killTree':
        return this.#killTree(step.id, instance)
      case 'unpause':
        return runtime.pause(step.id, false)
      case 'forget':
        // Before the removal: a note that is saved after it would bring the directory back.
        this.#options.notes.forget(tracked.uid)
        await runtime.remove(tracked.uid as InstanceId)
        this.#forget(tracked)
        // What is no longer ours in the API may be somebody else's by now: another node's.
        if (this.#options.instance(tracked.uid) !== undefined) await this.#letGo(instance, context.signal)
        return
    }
  }

  async #killTree(id: RunId, instance: Instance): Promise<void> {
    try {
      await this.#options.runtime.killTree(id)
    } catch (err) {
      const message = `Not all of its processes could be killed: ${err instanceof Error ? err.message : String(err)}`
      this.#options.record(instance, { type: 'Warning', reason: 'FailedKilling', message })
      throw err
    }
  }

  async #start(
    { attempt, fresh, memo }: Step & { readonly type: 'start' },
    tracked: TrackedInstance,
    instance: Instance,
    { signal, log }: ReconcileContext,
  ): Promise<void> {
    const { launcher, runtime } = this.#options
    try {
      const config = await launcher.runConfig(instance, attempt, { fresh, signal })
      // After a second death in a row it has waited for its backoff, and others haven't.
      await runtime.start({ ...config, memo, patient: (tracked.memory?.failures ?? 0) > 1 })
      tracked.logs = JSON.stringify(instance.spec.template.logs)
      tracked.limits = JSON.stringify(limitsOf(instance.spec.template))
      // After the start, which nothing for show may delay.
      const [program] = config.command
      tracked.command = [isAbsolute(program) ? program : await runtime.resolveCommand(program, config.searchPath, config.workingDir)]
    } catch (err) {
      if (!(err instanceof StartError || err instanceof ConfigError)) throw err
      log.debug({ instance: instance.metadata.name, reason: err.reason }, 'Start failed')
      tracked.startFailure = { attempt, reason: err.reason, message: err.message }
    }
  }

  /** Takes our finalizer off, which lets the object go. */
  async #letGo({ metadata }: Instance, signal: AbortSignal): Promise<void> {
    const { name, namespace, uid, finalizers = [] } = metadata
    if (!finalizers.includes(STOP_FINALIZER)) return
    const operations = [
      { op: 'test', path: '/metadata/uid', value: uid },
      { op: 'test', path: '/metadata/finalizers', value: finalizers },
      { op: 'replace', path: '/metadata/finalizers', value: finalizers.filter((each) => each !== STOP_FINALIZER) },
    ]
    try {
      await this.#options.client.patch(
        { name, ...(namespace === undefined ? {} : { namespace }) },
        { type: 'json', operations },
        { signal },
      )
    } catch (err) {
      if (!hasReason(err, 'NotFound')) throw err
    }
  }

  #forget(tracked: TrackedInstance): void {
    const { launcher, surroundings, statuses, untrack } = this.#options
    tracked.probes.stop()
    tracked.activities.sync(undefined)
    launcher.forget(tracked.uid)
    this.#options.notes.forget(tracked.uid)
    statuses.forget(tracked.uid)
    if (tracked.instance !== undefined) surroundings.publish(tracked.instance, undefined)
    untrack(tracked.uid)
  }

  async #tailOf({ memory }: TrackedInstance, instance: Instance, run: Run | undefined): Promise<string | undefined> {
    if (run?.state !== 'exited' || memory?.stop !== undefined) return undefined
    // A run that ended as soon as it began is not in the memory yet.
    const isCounted = memory?.run !== undefined && memory.run.attempt >= attemptOf(run.id) && memory.run.over
    if (isCounted) return undefined
    if (isSuccess(run.exit, instance.spec.template.successExitCodes)) return undefined
    return this.#options.runtime.tail(run.instance, TAIL_BYTES)
  }

  #time(): Time {
    const { clock, bootId } = this.#options
    return { now: clock.now(), monotonic: clock.monotonic(), bootId }
  }
}

function summaryOf(instance: Instance, { memory, standing }: Plan, run: Run | undefined): Summary {
  const live = run?.state === 'running' && memory.stop === undefined
  return {
    alive: run !== undefined && (run.state === 'running' || run.leftovers),
    started: live && memory.run?.started.value === true,
    ready: live && memory.run?.ready.value === true,
    succeeded: standing.phase === 'Succeeded',
    goingDown: !memory.wanted || instance.metadata.deletionTimestamp !== undefined,
    attempt: memory.run?.attempt ?? 0,
  }
}
