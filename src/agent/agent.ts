import nodeProcess from 'node:process'
import type { NodeGateway } from '../api/node-gateway.ts'
import { keyOf, type ObjectKey } from '../api/object.ts'
import { aborted, isAbort } from '../base/abort.ts'
import { exponential } from '../base/backoff.ts'
import { bootId } from '../base/boot-id.ts'
import { type Clock, type Millis, sleep } from '../base/clock.ts'
import { jsonEqual } from '../base/json.ts'
import type { Logger } from '../base/log.ts'
import { runForever } from '../base/loop.ts'
import type { Client } from '../client/client.ts'
import { EventRecorder } from '../client/event-recorder.ts'
import type { Instance, Process } from '../generated/types.ts'
import { WatchInformer } from '../informer/informer.ts'
import { Controller, type Source, watches } from '../reconcile/controller.ts'
import { runAll } from '../reconcile/manager.ts'
import { PerKeyBackoff } from '../reconcile/rate-limiter.ts'
import type { AddOptions } from '../reconcile/workqueue.ts'
import { INITIAL_PRIORITY } from '../reconcile/workqueue.ts'
import { attemptOf, type ProcessRuntime } from '../runtime/runtime.ts'
import { FileWatch, type WatchedFiles } from './file-watch.ts'
import { AgentGateway } from './gateway.ts'
import { InstanceReconciler } from './instance-reconciler.ts'
import { Launcher } from './launch.ts'
import { NodeHeartbeat } from './node-heartbeat.ts'
import { NoteKeeper } from './note-keeper.ts'
import { StatusWriter } from './status-writer.ts'
import { keyIn, processKey, Surroundings } from './surroundings.ts'
import { Tracker } from './tracker.ts'

export interface AgentOptions {
  readonly client: Client
  /** Opened, and closed, by the caller. */
  readonly runtime: ProcessRuntime
  readonly clock: Clock
  readonly log: Logger
  readonly nodeName: string
  readonly version: string
  /** Which boot of the machine this is. Default: the kernel's id of it. */
  readonly bootId?: string
  /** Says when room for files runs out. */
  readonly diskShortage?: () => string | undefined
}

export interface Agent {
  /** Keeps the Instances of this node running until the signal. The programs run on after it. */
  run(signal: AbortSignal): Promise<void>
  readonly gateway: NodeGateway
  /** True once every process of an earlier agent has been taken over. */
  ready(): boolean
  /**
   * Stops everything, dependants first, and resolves when nothing runs; rejects when the signal fires before. What is wanted stays
   * wanted: the next agent starts it again. For an agent that is running.
   */
  drain(signal?: AbortSignal): Promise<void>
}

/** Instances in work at the same time; each step of theirs waits for the system, not for this process. */
const WORKERS = 64
/** A death is looked at before anything else. */
const DEATH_PRIORITY = 100
/** Before that of one which has died again and again, and is to wait anyway, those of others. */
const CRASH_LOOP_PRIORITY = 50
/** The runtime finds lost events itself; this is for strays, and for what nobody has thought of. */
const RELIST: Millis = 300_000
const DRAIN_POLL: Millis = 50

const BY_UID = 'uid'
const BY_PROCESS = 'process'
const BY_DEPENDENCY = 'dependency'
const BY_WATCHING = 'watching'
/** The index value of all Instances that are reloaded when files change. */
const FILES = 'files'

export function createAgent(options: AgentOptions): Agent {
  return new NodeAgent(options)
}

class NodeAgent implements Agent {
  readonly gateway: AgentGateway
  readonly #options: AgentOptions
  readonly #bootId: string
  readonly #instances: WatchInformer<Instance>
  readonly #processes: WatchInformer<Process>
  readonly #events: EventRecorder
  readonly #statuses: StatusWriter
  readonly #launcher: Launcher
  readonly #surroundings: Surroundings
  readonly #tracker: Tracker
  readonly #notes: NoteKeeper
  /** Uids that must be looked at before the agent is ready; undefined until they are known. */
  #unseen: Set<string> | undefined
  #enqueue: (uid: string, options?: AddOptions) => void = () => {}
  #draining = false

  constructor(options: AgentOptions) {
    const { client, runtime, clock, log, nodeName } = options
    this.#options = options
    this.#bootId = options.bootId ?? bootId()
    this.#instances = new WatchInformer<Instance>({
      name: 'Instance',
      client: client.for('Instance'),
      clock,
      log,
      selection: { fieldSelector: `spec.nodeName=${nodeName}` },
      indices: {
        [BY_UID]: ({ metadata }) => [metadata.uid],
        [BY_PROCESS]: (instance) => [processKey(instance)],
        [BY_DEPENDENCY]: (instance) => (instance.spec.template.dependsOn ?? []).map(({ name }) => keyIn(instance, name)),
        [BY_WATCHING]: ({ spec }) => ((spec.template.reload?.onFileChange ?? []).length > 0 ? [FILES] : []),
      },
    })
    this.#processes = new WatchInformer<Process>({ name: 'Process', client: client.for('Process'), clock, log })
    this.#events = new EventRecorder({ client, clock, log, component: 'pmk-agent', host: nodeName })
    this.#statuses = new StatusWriter({ client: client.for('Instance'), cached: (uid) => this.#instance(uid), clock, log })
    this.#launcher = new Launcher({ client, runtime, server: nodeProcess.env, log })
    this.#surroundings = new Surroundings({
      instancesOf: (process) => this.#instances.byIndex(BY_PROCESS, process),
      dependantsOf: (process) => this.#instances.byIndex(BY_DEPENDENCY, process),
      process: (key) => this.#processes.get(key as ObjectKey),
      enqueue: (uid) => this.#enqueue(uid),
    })
    this.#notes = new NoteKeeper({ runtime, clock, log })
    this.#tracker = new Tracker({
      runtime,
      launcher: this.#launcher,
      instance: (uid) => this.#instance(uid),
      enqueue: (uid) => this.#enqueue(uid),
      clock,
      log,
    })
    this.gateway = new AgentGateway({
      runtime,
      launcher: this.#launcher,
      instance: (key) => this.#instances.get(key as ObjectKey),
      instances: () => this.#instances.list(),
      onSignal: (uid, attempt, signal) => {
        this.#tracker.track(uid).requestedSignal = { attempt, signal }
      },
      clock,
    })
  }

  ready(): boolean {
    return this.#unseen?.size === 0
  }

  async run(signal: AbortSignal): Promise<void> {
    const { client, clock, log, nodeName, version, runtime } = this.#options
    const heartbeat = new NodeHeartbeat({
      client: client.for('Node'),
      nodeName,
      version,
      bootId: this.#bootId,
      instances: () => this.#instances.list().length,
      hostGaps: () => runtime.hostGaps(),
      diskShortage: this.#options.diskShortage ?? (() => undefined),
      record: (node, event) => this.#events.record(node, event),
      clock,
      log,
    })
    const files = new FileWatch({
      clock,
      watched: () => this.#watchedFiles(),
      onChange: (uid, path, stop) => this.#reloadFor(uid, path, stop),
    })
    const informers = [this.#instances, this.#processes, this.#events]
    const notices = { run: (stop: AbortSignal) => this.#tellNotices(stop) }
    const workers = [this.#statuses, heartbeat, files, notices, { run: (stop: AbortSignal) => this.#relistLoop(stop) }]
    try {
      await runAll([informers, workers, [this.#controller()]], signal)
    } finally {
      this.#tracker.stop()
      await this.#notes.flush()
    }
  }

  async drain(signal: AbortSignal = new AbortController().signal): Promise<void> {
    const { runtime, clock } = this.#options
    this.#draining = true
    for (;;) {
      const records = await runtime.list()
      const alive = records.filter(({ run }) => run !== undefined && (run.state === 'running' || run.leftovers))
      if (alive.length === 0) break
      for (const { instance } of alive) this.#enqueue(instance)
      await sleep(clock, DRAIN_POLL, signal)
    }
    // The last statuses are worth a moment: people will look at them while nothing runs.
    for (let wait = 0; this.#statuses.pending > 0 && wait < 20; wait++) await sleep(clock, DRAIN_POLL, signal)
  }

  #controller(): Controller {
    const { clock, log, client, runtime } = this.#options
    const inner = new InstanceReconciler({
      instance: (uid) => this.#instance(uid),
      client: client.for('Instance'),
      runtime,
      launcher: this.#launcher,
      notes: this.#notes,
      surroundings: this.#surroundings,
      statuses: this.#statuses,
      record: (instance, event) => this.#events.record(instance, event),
      track: (uid) => this.#tracker.track(uid),
      untrack: (uid) => this.#tracker.untrack(uid),
      draining: () => this.#draining,
      clock,
      bootId: this.#bootId,
    })
    const reconciler: typeof inner.reconcile = async (uid, context) => {
      try {
        return await inner.reconcile(uid, context)
      } finally {
        this.#unseen?.delete(uid)
      }
    }
    return new Controller({
      name: 'agent',
      sources: [this.#objects(), this.#processChanges(), this.#deaths()],
      reconciler: { reconcile: reconciler },
      workers: WORKERS,
      clock,
      log,
      limiter: new PerKeyBackoff<ObjectKey>(exponential({ initial: 20, factor: 2, max: 10_000, jitter: 0.2 })),
    })
  }

  /** Keys are uids: a new object of an old name is another Instance. */
  #objects(): Source {
    return watches(this.#instances, ({ prev, next }) => {
      if (prev !== undefined && next !== undefined && this.#isOwnReport(prev, next)) return []
      const uids = new Set([prev, next].flatMap((instance) => (instance === undefined ? [] : [instance.metadata.uid])))
      return [...uids] as ObjectKey[]
    })
  }

  /** Nothing has changed but the status, and that to what was reported: what somebody else says in it is put right. */
  #isOwnReport(prev: Instance, next: Instance): boolean {
    const { resourceVersion: _before, managedFields: _then, ...known } = prev.metadata
    const { resourceVersion: _after, managedFields: _now, ...metadata } = next.metadata
    return jsonEqual(metadata, known) && jsonEqual(next.status, this.#tracker.get(metadata.uid)?.status)
  }

  /** A Process that depends say something of: its replicas and its state. */
  #processChanges(): Source {
    return watches(this.#processes, ({ prev, next }) => {
      const process = next ?? prev
      const key = process === undefined ? undefined : keyOf(process)
      const dependants = key === undefined ? [] : this.#instances.byIndex(BY_DEPENDENCY, key)
      return dependants.map(({ metadata }) => metadata.uid as ObjectKey)
    })
  }

  #deaths(): Source {
    return {
      synced: this.#takeOver(),
      start: (enqueue) => {
        this.#enqueue = (uid, options) => enqueue(uid as ObjectKey, options)
        const controller = new AbortController()
        const { clock, log, runtime } = this.#options
        const backoff = exponential({ initial: 10, factor: 2, max: 1_000, jitter: 0 })
        // Ends with the signal that the returned function fires; never rejects.
        void runForever({ name: 'deaths', clock, log, backoff, signal: controller.signal }, async (signal) => {
          for await (const uid of runtime.changes(signal)) enqueue(uid as string as ObjectKey, { priority: this.#priorityOf(uid) })
        })
        return () => controller.abort()
      },
    }
  }

  /** Once the objects are known: everything that runs must be looked at before the agent is ready, strays included. */
  async #takeOver(): Promise<void> {
    await Promise.all([this.#instances.synced, this.#processes.synced])
    const records = await this.#options.runtime.list()
    this.#unseen = new Set([...records.map(({ instance }) => instance), ...this.#instances.list().map(({ metadata }) => metadata.uid)])
    for (const { instance } of records) this.#enqueue(instance, { priority: INITIAL_PRIORITY })
  }

  async #relistLoop(signal: AbortSignal): Promise<void> {
    const { clock, log, runtime } = this.#options
    await Promise.race([this.#instances.synced, aborted(signal)])
    const backoff = exponential({ initial: 1_000, factor: 2, max: RELIST, jitter: 0 })
    await runForever({ name: 'relist', clock, log, backoff, signal }, async () => {
      await sleep(clock, RELIST, signal)
      for (const { instance, run } of await runtime.list()) {
        const tracked = this.#tracker.get(instance)
        if (tracked === undefined || tracked.runId !== run?.id || tracked.running !== (run?.state === 'running')) this.#enqueue(instance)
      }
    })
  }

  async #tellNotices(signal: AbortSignal): Promise<void> {
    for await (const { instance: uid, reason, message } of this.#options.runtime.notices(signal)) {
      const instance = this.#instance(uid)
      if (instance !== undefined) this.#events.record(instance, { type: 'Warning', reason, message })
    }
  }

  #priorityOf(uid: string): number {
    return (this.#tracker.get(uid)?.memory?.failures ?? 0) > 1 ? CRASH_LOOP_PRIORITY : DEATH_PRIORITY
  }

  #instance(uid: string): Instance | undefined {
    return this.#instances.byIndex(BY_UID, uid)[0]
  }

  #watchedFiles(): readonly WatchedFiles[] {
    const watched: WatchedFiles[] = []
    for (const { metadata, spec } of this.#instances.byIndex(BY_WATCHING, FILES)) {
      const { uid } = metadata
      const { runId, running = false } = this.#tracker.get(uid) ?? {}
      const paths = spec.template.reload?.onFileChange ?? []
      if (running && runId !== undefined) watched.push({ uid, attempt: attemptOf(runId), paths })
    }
    return watched
  }

  async #reloadFor(uid: string, path: string, signal: AbortSignal): Promise<void> {
    const instance = this.#instance(uid)
    if (instance === undefined || instance.spec.suspend) return
    try {
      const { exitCode } = await this.gateway.reloadInstance(instance, signal)
      if (exitCode === 0) this.#events.record(instance, { type: 'Normal', reason: 'Reloaded', message: `Reloaded because ${path} changed` })
      else
        this.#events.record(instance, {
          type: 'Warning',
          reason: 'ReloadFailed',
          message: `The reload after a change of ${path} ended with ${exitCode}`,
        })
    } catch (err) {
      if (isAbort(err, signal)) return
      const message = `No reload after a change of ${path}: ${err instanceof Error ? err.message : String(err)}`
      this.#events.record(instance, { type: 'Warning', reason: 'ReloadFailed', message })
    }
  }
}
