import { createHash } from 'node:crypto'
import { findCondition } from '../api/conditions.ts'
import { type ApiObject, type ObjectKey, objectKey } from '../api/object.ts'
import { ApiError, hasReason } from '../api/status.ts'
import { onAbort } from '../base/abort.ts'
import type { Clock, Millis } from '../base/clock.ts'
import { formatDuration, parseDuration } from '../base/duration.ts'
import { jsonEqual } from '../base/json.ts'
import type { Logger } from '../base/log.ts'
import type { Client } from '../client/client.ts'
import type { EventSink } from '../client/event-recorder.ts'
import type { ManifestSource, Process } from '../generated/types.ts'
import type { Lister } from '../informer/informer.ts'
import type { Placed } from '../manifest/apply.ts'
import { formatProblem } from '../manifest/manifest.ts'
import type { ReconcileContext, Reconciler, Result } from '../reconcile/reconciler.ts'
import { releaseObjects, removeObjects } from './farewell.ts'
import { healthOf } from './health.ts'
import type { Hints } from './hints.ts'
import type { SourceRef } from './ownership.ts'
import { type PassOutcome, runPass } from './pass.ts'
import type { Fetched, FetchFailure, ManifestOrigin, Snapshot } from './snapshot.ts'
import { driftText, type Finding, shortRevision, statusOf } from './source-status.ts'
import { TrackedSource } from './tracked-source.ts'
import { variablesOf } from './variables.ts'
import { CONFIRM_PRUNE_ANNOTATION, fieldManagerOf, SOURCE_FINALIZER, SYNC_REQUESTED_ANNOTATION } from './well-known.ts'

/** Health is told of by events of the Processes; this is for a deadline that passes. */
const LOOK_AT_HEALTH: Millis = 1_000
const LOOK_FOR_END: Millis = 500

/** Nothing that is tried again by itself would make these better. */
const STALLS: ReadonlySet<FetchFailure> = new Set([
  'PathNotFound',
  'PathUnreadable',
  'NoManifests',
  'TooLarge',
  'AuthenticationFailed',
  'RefNotFound',
  'VerificationFailed',
  'SecretNotFound',
])

/** A source that holds nothing any more: what it applied may go, if somebody says so. */
const EMPTIED: ReadonlySet<FetchFailure> = new Set(['PathNotFound', 'NoManifests'])

export interface SourceReconcilerOptions {
  readonly client: Client
  readonly sources: Lister<ManifestSource>
  readonly processes: Lister<Process>
  /** What is stored of any kind that a source may apply. */
  readonly live: (kind: ApiObject['kind'], key: ObjectKey) => ApiObject | undefined
  readonly originOf: (source: ManifestSource) => ManifestOrigin
  readonly hints: Hints
  readonly events: EventSink
  readonly clock: Clock
  readonly log: Logger
}

/** Keeps what the manifests of a source say applied. */
export class SourceReconciler implements Reconciler {
  readonly #options: SourceReconcilerOptions
  readonly #tracked = new Map<ObjectKey, TrackedSource>()

  constructor(options: SourceReconcilerOptions) {
    this.#options = options
  }

  /** Whether an object that changed is as this source left it. */
  isAsApplied(key: ObjectKey, id: string, mark: string): boolean {
    return this.#tracked.get(key)?.verified.get(id)?.mark === mark
  }

  /** Ends what watches directories. */
  close(): void {
    for (const tracked of this.#tracked.values()) tracked.end()
    this.#tracked.clear()
  }

  async reconcile(key: ObjectKey, { signal, log }: ReconcileContext): Promise<Result> {
    const source = this.#options.sources.get(key)
    if (source === undefined) {
      await this.#forget(key)
      return {}
    }
    if (source.metadata.deletionTimestamp !== undefined) return await this.#finalize(key, source, signal)
    if (source.spec.suspend) {
      this.#end(key)
      const ready = source.status?.ready ?? 'Unknown'
      await this.#report(
        source,
        { ready, reason: 'Suspended', message: 'Nothing is fetched or applied while it is suspended', reconciling: false, stalled: false },
        signal,
      )
      return {}
    }
    const obstacle = this.#dependency(source)
    if (obstacle !== undefined) {
      await this.#report(
        source,
        { ready: 'False', reason: 'DependencyNotReady', message: obstacle, reconciling: true, stalled: false },
        signal,
      )
      return {}
    }
    const timeout = parseDuration(source.spec.timeout) ?? 0
    const deadline = new AbortController()
    const cancel = this.#options.clock.schedule(timeout, () => deadline.abort(new Error('timed out')))
    const stop = onAbort(signal, () => deadline.abort(signal.reason))
    try {
      return await this.#sync(key, source, log, deadline.signal)
    } catch (err) {
      if (!deadline.signal.aborted || signal.aborted) throw err
      const message = `The pass took longer than spec.timeout, ${formatDuration(timeout)}`
      const requested = source.metadata.annotations?.[SYNC_REQUESTED_ANNOTATION]
      const handled = requested === undefined ? {} : { handledSync: requested }
      await this.#report(source, { ...handled, ready: 'False', reason: 'TimedOut', message, reconciling: true, stalled: false }, signal)
      return { requeueAfter: parseDuration(source.spec.interval) ?? timeout }
    } finally {
      cancel()
      stop()
    }
  }

  async #sync(key: ObjectKey, source: ManifestSource, log: Logger, signal: AbortSignal): Promise<Result> {
    const { spec, metadata, status } = source
    const interval = parseDuration(spec.interval) ?? 0
    const tracked = this.#track(key, source)
    const requested = metadata.annotations?.[SYNC_REQUESTED_ANNOTATION]
    const isRequested = requested !== undefined && requested !== status?.lastHandledSync
    const isNew = status?.observedGeneration !== metadata.generation
    const fetched = await tracked.fetch({ interval, now: isRequested || isNew, signal })
    const handled = requested === undefined ? {} : { handledSync: requested }
    if (fetched.type === 'unsettled') {
      if (status === undefined) await this.#report(source, unsettled(fetched.path), signal)
      return { requeueAfter: fetched.retryAfter }
    }
    if (fetched.type === 'failed') {
      await this.#failed(source, tracked, fetched, handled, signal)
      return { requeueAfter: interval }
    }
    const { snapshot } = fetched
    const found = variablesOf(source, (kind, namespace, name) => {
      const object = this.#options.live(kind, objectKey(namespace, name))
      return object?.kind === 'ConfigMap' || object?.kind === 'Secret' ? (object as never) : undefined
    })
    if ('missing' in found) {
      await this.#report(
        source,
        { ...handled, ready: 'False', reason: 'VariablesNotFound', message: found.missing, reconciling: false, stalled: true },
        signal,
      )
      return { requeueAfter: interval }
    }
    const { variables } = found
    const isSame = tracked.variablesDigest === undefined || tracked.variablesDigest === (variables?.digest ?? '')
    const isRepeated = !isNew && isSame && status?.appliedRevision === snapshot.revision
    const namespace = spec.targetNamespace ?? metadata.namespace ?? 'default'
    const documents = await tracked.reader.read(snapshot, { namespace, variables, signal })
    let current = source
    const outcome = await this.#pass(current, documents, {
      isRepeated,
      tracked,
      signal,
      onInventory: async (inventory) => {
        current = await this.#options.client
          .for('ManifestSource')
          .updateStatus(
            { ...current, status: { ...current.status, inventory: [...inventory], conditions: current.status?.conditions ?? [] } },
            { signal },
          )
      },
    })
    tracked.variablesDigest = variables?.digest ?? ''
    const isChanged = outcome.applied.some((each) => each.outcome !== 'unchanged') || outcome.pruned.length > 0
    if (!isRepeated || isChanged) tracked.waitingSince = this.#options.clock.monotonic()
    this.#tell(current, snapshot, outcome, isRepeated)
    const finding = this.#judge(current, tracked, snapshot, outcome, documents.placed)
    const degraded = tracked.degraded
    const notes = [
      ...snapshot.notes,
      ...outcome.notes,
      ...(degraded === undefined ? [] : [`changes are found every ${spec.interval} only: ${degraded}`]),
    ]
    await this.#report(current, { ...handled, ...finding, notes }, signal)
    if (isChanged)
      log.info({ revision: snapshot.revision, applied: outcome.applied.length, pruned: outcome.pruned.length }, 'Source was applied')
    const soon = finding.reason === 'WaitingForHealth' ? LOOK_AT_HEALTH : interval
    return { requeueAfter: Math.max(1, Math.min(soon, tracked.freshFor(interval))) }
  }

  async #pass(
    source: ManifestSource,
    documents: { readonly placed: readonly Placed[]; readonly problems: PassOutcome['problems'] },
    options: {
      readonly isRepeated: boolean
      readonly tracked: TrackedSource
      readonly onInventory: (inventory: readonly string[]) => Promise<void>
      readonly signal: AbortSignal
    },
  ): Promise<PassOutcome> {
    const { client, live, sources } = this.#options
    const { spec, status } = source
    const ref = refOf(source)
    // What can't be read may be any object: nothing is known to be gone.
    const isWhole = documents.problems.length === 0
    if (!isWhole && !spec.partial)
      return { problems: documents.problems, notes: [], inventory: status?.inventory ?? [], applied: [], drift: [], pruned: [] }
    const outcome = await runPass({
      client,
      source: ref,
      fieldManager: fieldManagerOf(ref),
      placed: documents.placed,
      live: ({ manifest, ref: { name, namespace } }) => live(manifest.definition.kind, objectKey(namespace, name)),
      sourceExists: ({ namespace, name }) => sources.get(objectKey(namespace, name)) !== undefined,
      inventory: status?.inventory ?? [],
      prune: spec.prune && isWhole,
      partial: spec.partial,
      drift: spec.drift === 'Report' ? 'report' : 'restore',
      isRepeated: options.isRepeated,
      verified: options.tracked.verified,
      onInventory: options.onInventory,
      signal: options.signal,
    })
    return { ...outcome, problems: [...documents.problems, ...outcome.problems] }
  }

  #judge(source: ManifestSource, tracked: TrackedSource, snapshot: Snapshot, outcome: PassOutcome, placed: readonly Placed[]): Finding {
    const { spec } = source
    const { clock } = this.#options
    const { problems, inventory, drift } = outcome
    const seen = {
      attemptedRevision: snapshot.revision,
      files: snapshot.files.length,
      problems,
      inventory,
      drift: spec.drift === 'Report' ? drift : [],
      pendingPrune: 'none',
    } as const
    const [first] = problems
    if (first !== undefined) {
      const more = problems.length === 1 ? '' : ` (and ${problems.length - 1} more)`
      const message = `${formatProblem(first)}${more}`
      const reason = spec.partial ? 'PartiallyApplied' : 'InvalidManifests'
      return {
        ...seen,
        ready: 'False',
        reason,
        message: spec.partial ? message : `Nothing was changed. ${message}`,
        reconciling: false,
        stalled: true,
      }
    }
    const done = { ...seen, appliedRevision: snapshot.revision, appliedAt: clock.now() }
    const what = `${count(inventory.length, 'object')} of ${count(snapshot.files.length, 'file')} at ${shortRevision(snapshot.revision)}`
    if (spec.wait) {
      const health = this.#health(placed)
      const waited = clock.monotonic() - (tracked.waitingSince ?? clock.monotonic())
      const timeout = parseDuration(spec.timeout) ?? 0
      if (health?.state === 'failed' || (health !== undefined && waited >= timeout))
        return {
          ...done,
          ready: 'False',
          reason: 'HealthCheckFailed',
          message: `${health.message}${health.state === 'waiting' ? `; waited ${spec.timeout}` : ''}`,
          reconciling: false,
          stalled: true,
        }
      if (health !== undefined)
        return { ...done, ready: 'False', reason: 'WaitingForHealth', message: health.message, reconciling: true, stalled: false }
    }
    return { ...done, ready: 'True', reason: 'Applied', message: `Applied ${what}`, reconciling: false, stalled: false }
  }

  /** The first Process that is not well, failed ones first. */
  #health(placed: readonly Placed[]): { readonly state: 'waiting' | 'failed'; readonly message: string } | undefined {
    let waiting: { readonly state: 'waiting'; readonly message: string } | undefined
    for (const { manifest, ref } of placed) {
      if (manifest.definition.kind !== 'Process') continue
      const process = this.#options.processes.get(objectKey(ref.namespace, ref.name))
      if (process === undefined) continue
      const health = healthOf(process)
      if (health.state === 'failed') return { state: 'failed', message: health.message }
      if (health.state === 'waiting') waiting ??= { state: 'waiting', message: health.message }
    }
    return waiting
  }

  /** Nothing is known of what the source holds: nothing changes, unless somebody confirms that it is to be empty. */
  async #failed(
    source: ManifestSource,
    tracked: TrackedSource,
    failed: Fetched & { readonly type: 'failed' },
    handled: Pick<Finding, 'handledSync'>,
    signal: AbortSignal,
  ): Promise<void> {
    const { spec, status, metadata } = source
    const inventory = status?.inventory ?? []
    const base = {
      ...handled,
      ready: 'False',
      reconciling: !STALLS.has(failed.reason),
      stalled: STALLS.has(failed.reason),
      problems: [{ file: spec.path ?? spec.git?.url ?? '', message: failed.message }],
    } as const
    if (!spec.prune || inventory.length === 0 || !EMPTIED.has(failed.reason)) {
      await this.#report(source, { ...base, reason: failed.reason, message: failed.message, pendingPrune: 'none' }, signal)
      return
    }
    const token = createHash('sha256')
      .update(JSON.stringify([failed.reason, inventory]))
      .digest('hex')
      .slice(0, 16)
    if (metadata.annotations?.[CONFIRM_PRUNE_ANNOTATION] === token) {
      const nothing = { placed: [], problems: [] }
      const outcome = await this.#pass(source, nothing, { isRepeated: false, tracked, onInventory: async () => {}, signal })
      this.#options.events.record(source, {
        type: 'Normal',
        reason: 'Pruned',
        message: `Removed ${count(outcome.pruned.length, 'object')}, as confirmed`,
      })
      await this.#report(
        source,
        {
          ...base,
          reason: failed.reason,
          message: failed.message,
          inventory: outcome.inventory,
          notes: outcome.notes,
          pendingPrune: 'none',
        },
        signal,
      )
      return
    }
    const pendingPrune = { token, objects: inventory.length, reason: failed.message }
    const message = `${failed.message}. ${count(inventory.length, 'object')} would be removed: pmk sync ${metadata.name} --confirm-prune`
    await this.#report(
      source,
      { ...base, reason: 'PruneNeedsConfirmation', message, stalled: true, reconciling: false, pendingPrune },
      signal,
    )
  }

  /** Events for what changed in this pass. */
  #tell(source: ManifestSource, snapshot: Snapshot, outcome: PassOutcome, isRepeated: boolean): void {
    const { events } = this.#options
    const { applied, pruned, drift } = outcome
    const of = (word: string): number => applied.filter(({ outcome: each }) => each === word).length
    const [created, configured] = [of('created'), of('configured')]
    if (!isRepeated && outcome.problems.length === 0 && created + configured + pruned.length > 0) {
      const message = `Applied ${shortRevision(snapshot.revision)}: ${created} created, ${configured} configured, ${pruned.length} pruned`
      events.record(source, { type: 'Normal', reason: 'Applied', message })
    }
    if (!isRepeated || source.spec.drift === 'Report') return
    const byId = new Map(applied.map(({ id, object }) => [id, object]))
    for (const each of drift) {
      const object = byId.get(each.id)
      if (object === undefined) continue
      const who = each.managers.length === 0 ? 'somebody' : [...new Set(each.managers)].join(', ')
      const what = each.missing ? 'made it anew: it had been deleted' : `put back ${each.fields.join(', ')}, changed by ${who}`
      events.record(object, {
        type: 'Normal',
        reason: 'DriftRestored',
        message: `ManifestSource ${source.metadata.namespace}/${source.metadata.name} ${what}`,
      })
      events.record(source, { type: 'Normal', reason: 'DriftRestored', message: driftText(each) })
    }
  }

  /** Why it must wait for another source, if so. */
  #dependency({ spec, metadata }: ManifestSource): string | undefined {
    for (const { name, namespace = metadata.namespace } of spec.dependsOn ?? []) {
      const other = this.#options.sources.get(objectKey(namespace, name))
      const called = `ManifestSource ${namespace}/${name}`
      if (other === undefined) return `waits for ${called}, which is not there`
      const ready = findCondition(other.status?.conditions, 'Ready')
      if (ready?.status !== 'True' || ready.observedGeneration !== other.metadata.generation)
        return `waits for ${called}${ready?.message === undefined || ready.status === 'True' ? '' : `: ${ready.message}`}`
    }
    return undefined
  }

  async #finalize(key: ObjectKey, source: ManifestSource, signal: AbortSignal): Promise<Result> {
    const { client } = this.#options
    const { metadata, spec, status } = source
    if (!(metadata.finalizers ?? []).includes(SOURCE_FINALIZER)) return {}
    const work = { client, source: refOf(source), inventory: status?.inventory ?? [], signal }
    if (spec.deletionPolicy === 'Prune' && (await removeObjects(work)) > 0) return { requeueAfter: LOOK_FOR_END }
    if (spec.deletionPolicy === 'Orphan') await releaseObjects(work)
    await this.#forget(key)
    const finalizers = (metadata.finalizers ?? []).filter((name) => name !== SOURCE_FINALIZER)
    try {
      await client.for('ManifestSource').update({ ...source, metadata: { ...metadata, finalizers } }, { signal })
    } catch (err) {
      if (!hasReason(err, 'NotFound')) throw err
    }
    return {}
  }

  #track(key: ObjectKey, source: ManifestSource): TrackedSource {
    const { spec, metadata } = source
    const origin = JSON.stringify([metadata.uid, spec.path, spec.git])
    const known = this.#tracked.get(key)
    if (known?.key === origin) return known
    known?.end()
    const tracked = new TrackedSource({
      clock: this.#options.clock,
      origin: this.#options.originOf(source),
      key: origin,
      onHint: () => this.#options.hints.add(key),
    })
    this.#tracked.set(key, tracked)
    return tracked
  }

  #end(key: ObjectKey): void {
    this.#tracked.get(key)?.end()
    this.#tracked.delete(key)
  }

  async #forget(key: ObjectKey): Promise<void> {
    const origin = this.#tracked.get(key)?.origin
    this.#end(key)
    await origin?.discard()
  }

  /** Writes the status if it says something new, and an Event when it went from well to ill. */
  async #report(source: ManifestSource, finding: Finding, signal: AbortSignal): Promise<void> {
    const { client, clock, events } = this.#options
    const before = source.status
    const status = statusOf(source, finding, clock.now())
    const isNews = before?.reason !== status.reason || before?.message !== status.message
    if (isNews && status.ready === 'False' && !finding.reconciling)
      events.record(source, { type: 'Warning', reason: finding.reason, message: status.message ?? '' })
    // The time of the last pass alone is not worth a write.
    const { lastAppliedTime: _, ...rest } = status
    const { lastAppliedTime: __, ...restBefore } = before ?? {}
    if (jsonEqual(rest, restBefore) && finding.attemptedRevision === before?.attemptedRevision) return
    try {
      await client.for('ManifestSource').updateStatus({ ...source, status }, { signal })
    } catch (err) {
      if (!(err instanceof ApiError) || !hasReason(err, 'NotFound')) throw err
    }
  }
}

function refOf({ metadata }: ManifestSource): SourceRef {
  return { namespace: metadata.namespace ?? 'default', name: metadata.name }
}

function unsettled(path: string): Finding {
  return {
    ready: 'Unknown',
    reason: 'Unsettled',
    message: `${path} is being written; waits until it is left alone`,
    reconciling: true,
    stalled: false,
  }
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`
}
