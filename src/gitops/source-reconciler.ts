import { createHash } from 'node:crypto'
import { type ApiObject, type Kind, type ObjectKey, objectKey } from '../api/object.ts'
import type { Clock, Millis } from '../base/clock.ts'
import { formatDuration, parseDuration } from '../base/duration.ts'
import type { Logger } from '../base/log.ts'
import type { Client } from '../client/client.ts'
import type { EventSink } from '../client/event-recorder.ts'
import type { ManifestSource, Process } from '../generated/types.ts'
import type { Lister } from '../informer/informer.ts'
import type { ReconcileContext, Reconciler, Result } from '../reconcile/reconciler.ts'
import { withinDeadline } from './deadline.ts'
import { obstacleOf } from './dependencies.ts'
import type { Desired } from './desired.ts'
import type { Documents } from './documents.ts'
import { fetchFailed, nothingLeft, unsettled } from './empty-source.ts'
import { endSource } from './farewell.ts'
import { findUnwell } from './health.ts'
import { isListed } from './inventory.ts'
import { judge } from './judge.ts'
import { notesOf } from './notes.ts'
import { refOf } from './ownership.ts'
import { type PassOutcome, runPass } from './pass.ts'
import type { Fetched, ManifestOrigin, Snapshot } from './snapshot.ts'
import { type Finding, shortRevision, statusOf } from './source-status.ts'
import { readSource, writeStatus } from './status-writer.ts'
import { maskSecrets, type Substitute } from './substitute.ts'
import { tellFinding, tellOutcome } from './telling.ts'
import { tooLarge } from './too-large.ts'
import type { TrackedSource } from './tracked-source.ts'
import { TrackedSources } from './tracked-sources.ts'
import { variablesOf } from './variables.ts'
import { fieldManagerOf, SYNC_REQUESTED_ANNOTATION } from './well-known.ts'

export interface SourceReconcilerOptions {
  readonly client: Client
  readonly sources: Lister<ManifestSource>
  readonly processes: Lister<Process>
  /** What a cache has of any kind that a source may apply. */
  readonly cached: (id: Kind, key: ObjectKey) => ApiObject | undefined
  readonly originOf: (source: ManifestSource) => ManifestOrigin
  /** Asks for another look at a source. */
  readonly onHint: (key: ObjectKey) => void
  readonly events: EventSink
  readonly clock: Clock
  readonly log: Logger
}

/** One look at a source that has something to apply. */
interface Look {
  readonly source: ManifestSource
  readonly tracked: TrackedSource
  readonly interval: Millis
  readonly signal: AbortSignal
  /** Says in the status that `pmk sync` was heard. */
  readonly handled: Pick<Finding, 'handledSync'>
  readonly isRequested: boolean
}

/** Keeps what the manifests of a source say applied. */
export class SourceReconciler implements Reconciler {
  readonly #options: SourceReconcilerOptions
  readonly #tracked: TrackedSources

  constructor(options: SourceReconcilerOptions) {
    this.#options = options
    this.#tracked = new TrackedSources(options)
  }

  /** Whether a source needn't look at an object that changed: it is as it left it, or is put back with the next look. */
  isLeftAlone(source: ObjectKey, id: string, object: ApiObject | undefined): boolean {
    const tracked = this.#tracked.find(source)
    if (tracked === undefined) return false
    if (object !== undefined && tracked.verified.isAsLeft(id, object)) return true
    const known = this.#options.sources.get(source)
    return known !== undefined && tracked.restores.isHeld(id, intervalOf(known))
  }

  /** Sources that name an object which another one keeps; without `id` those with any such object. */
  contenders(id?: string): readonly ObjectKey[] {
    return this.#tracked.contenders(id)
  }

  /** Ends what watches directories. */
  close(): void {
    this.#tracked.endAll()
  }

  async reconcile(key: ObjectKey, { signal, log }: ReconcileContext): Promise<Result> {
    const { client, clock, sources } = this.#options
    const known = sources.get(key)
    const source = known === undefined ? undefined : await readSource(client, known.metadata, signal)
    if (source === undefined) {
      await this.#tracked.forget(key)
      return {}
    }
    if (source.metadata.deletionTimestamp !== undefined) return await this.#finalize(key, source, signal)
    const interval = intervalOf(source)
    if (source.spec.suspend) {
      this.#tracked.end(key)
      const message = 'Nothing is fetched or applied while it is suspended'
      await this.#report(
        source,
        { ready: source.status?.ready ?? 'Unknown', reason: 'Suspended', message, reconciling: false, stalled: false },
        signal,
      )
      return {}
    }
    const obstacle = obstacleOf(source, (other) => sources.get(other))
    if (obstacle !== undefined) {
      const isCycle = obstacle.reason === 'DependencyCycle'
      await this.#report(source, { ...obstacle, ready: 'False', reconciling: !isCycle, stalled: isCycle }, signal)
      return { requeueAfter: interval }
    }
    const timeout = parseDuration(source.spec.timeout) ?? 0
    const result = await withinDeadline({ clock, timeout, signal }, (deadline) => this.#sync(key, source, log, deadline))
    if (result !== 'late') return result
    // What was written until then is in the inventory that is stored now.
    const stored = await readSource(client, source.metadata, signal)
    const message = `The pass took longer than spec.timeout, ${formatDuration(timeout)}; it goes on with the next`
    const finding = { ...handledOf(source), ready: 'False', reason: 'TimedOut', message, reconciling: true, stalled: false } as const
    if (stored !== undefined) await this.#report(stored, finding, signal, source)
    return { requeueAfter: interval }
  }

  async #sync(key: ObjectKey, source: ManifestSource, log: Logger, signal: AbortSignal): Promise<Result> {
    const { metadata, status } = source
    const interval = intervalOf(source)
    const tracked = await this.#tracked.get(key, source)
    const requested = metadata.annotations?.[SYNC_REQUESTED_ANNOTATION]
    const isRequested = requested !== undefined && requested !== status?.lastHandledSync
    const isNew = status?.observedGeneration !== metadata.generation
    const fetched = await tracked.fetch({ interval, now: isRequested || isNew, signal })
    const look: Look = { source, tracked, interval, signal, handled: handledOf(source), isRequested }
    if (fetched.type === 'snapshot') return await this.#apply(look, fetched.snapshot, log)
    if (fetched.type === 'failed') return await this.#failed(look, fetched)
    // Files are written every now and then: only what was never looked at says so.
    if (status?.reason === undefined) await this.#report(source, unsettled(fetched.path), signal)
    return { requeueAfter: Math.min(fetched.retryAfter, interval) }
  }

  async #apply(look: Look, snapshot: Snapshot, log: Logger): Promise<Result> {
    const { source, tracked, interval, signal, handled } = look
    const { spec, metadata, status } = source
    const { clock, events, processes } = this.#options
    const variables = variablesOf(source, (kind, namespace, name) => {
      const object = this.#options.cached(kind, objectKey(namespace, name))
      return object?.kind === 'ConfigMap' || object?.kind === 'Secret' ? (object as never) : undefined
    })
    if ('missing' in variables) {
      const finding = { ...handled, ready: 'False', reason: 'VariablesNotFound', message: variables.missing } as const
      await this.#report(source, { ...finding, reconciling: false, stalled: true }, signal)
      return { requeueAfter: interval }
    }
    const namespace = spec.targetNamespace ?? metadata.namespace ?? 'default'
    const documents = await tracked.reader.read(snapshot, { namespace, variables: variables.variables, signal })
    const desired = tracked.desired(documents, refOf(source))
    const isEmpty = desired.length === 0 && documents.problems.length === 0
    const refused = isEmpty ? nothingLeft(source, snapshot, this.#options.cached) : tooLarge(desired, snapshot)
    if (refused !== undefined) {
      await this.#report(source, { ...handled, ...refused }, signal)
      return { requeueAfter: interval }
    }
    const inputs = createHash('sha256')
      .update(JSON.stringify([snapshot.revision, variables.version, namespace]))
      .digest('hex')
    const isRepeated = status?.appliedInputs === inputs
    const passed = await this.#pass(look, documents, desired, { isRepeated, revision: snapshot.revision })
    const { current } = passed
    const outcome = withoutSecrets(passed.outcome, variables.variables)
    tellOutcome(events, current, snapshot.revision, outcome, spec.drift === 'Restore' || look.isRequested)
    const isChanged = outcome.applied.some((each) => each.outcome !== 'unchanged')
    const unwell = spec.wait ? findUnwell(desired, tracked.verified, (other) => processes.get(other)) : undefined
    const now = clock.monotonic()
    tracked.unwellSince = unwell === undefined ? undefined : isChanged ? now : (tracked.unwellSince ?? now)
    const unwellFor = now - (tracked.unwellSince ?? now)
    const finding = judge(current, { snapshot, outcome, inputs, unwell, unwellFor, now: clock.now() })
    const answered = finding.reason === 'WaitingForDeletion' ? {} : handled
    const notes = notesOf(source, tracked, snapshot, outcome)
    await this.#report(current, { ...answered, ...finding, notes }, signal, source)
    if (isChanged || outcome.pruned.length > 0)
      log.info({ revision: snapshot.revision, applied: outcome.applied.length, pruned: outcome.pruned.length }, 'Source was applied')
    const deadline = finding.reason === 'WaitingForHealth' ? (parseDuration(spec.timeout) ?? 0) - unwellFor : interval
    return { requeueAfter: Math.max(1, Math.min(deadline, tracked.freshFor(interval))) }
  }

  async #pass(
    { source, tracked, interval, signal, isRequested }: Look,
    documents: Documents,
    desired: readonly Desired[],
    { isRepeated, revision }: { readonly isRepeated: boolean; readonly revision: string },
  ): Promise<{ readonly current: ManifestSource; readonly outcome: PassOutcome }> {
    const { client, cached, sources } = this.#options
    const { spec, status } = source
    let current = source
    const others = (): readonly ManifestSource[] => sources.list().filter(({ metadata }) => metadata.uid !== source.metadata.uid)
    const outcome = await runPass({
      client,
      source: refOf(source),
      desired,
      cached: ({ key, placed }) => cached(placed.manifest.definition.id, key),
      keeps: ({ namespace, name }, id) => isListed(sources.get(objectKey(namespace, name))?.status?.inventory, id),
      sourceOfManager: (manager) =>
        others()
          .map(refOf)
          .find((other) => fieldManagerOf(other) === manager),
      inventory: status?.inventory ?? [],
      isWhole: documents.problems.length === 0,
      prune: spec.prune,
      partial: spec.partial,
      isRepeated,
      restore: spec.drift === 'Restore' || isRequested,
      verified: tracked.verified,
      onWrites: async (inventory) => {
        // Drift that is put back is no new state that others should wait for.
        if (isRepeated && inventory === status?.inventory) return
        const message = `Applying ${shortRevision(revision)}`
        const finding = { ready: 'Unknown', reason: 'Applying', message, reconciling: true, stalled: false } as const
        current = await this.#report(current, { ...finding, attemptedRevision: revision, inventory }, signal)
      },
      signal,
    })
    tracked.contested = new Set(outcome.contested)
    const written = new Set(outcome.applied.map(({ id }) => id))
    for (const { id } of outcome.drift) if (written.has(id)) tracked.restores.add(id, interval)
    return { current, outcome: { ...outcome, problems: [...documents.problems, ...outcome.problems] } }
  }

  /** Nothing is known of what the source holds: nothing changes, unless somebody confirms that it is to be empty. */
  async #failed({ source, tracked, interval, handled, signal }: Look, failed: Fetched & { readonly type: 'failed' }): Promise<Result> {
    const { client, events } = this.#options
    const found = await fetchFailed({ client, source, failed, signal, cached: this.#options.cached })
    if (found.removed !== undefined)
      events.record(source, { type: 'Normal', reason: 'Pruned', message: `Removed ${found.removed} of its objects, as confirmed` })
    tracked.unwellSince = undefined
    await this.#report(source, { ...handled, ...found.finding }, signal)
    return { requeueAfter: interval }
  }

  async #finalize(key: ObjectKey, source: ManifestSource, signal: AbortSignal): Promise<Result> {
    const { client } = this.#options
    const waits = await endSource({ client, source, discard: () => this.#tracked.discard(key, source), signal })
    if (waits === undefined) return {}
    await this.#report(source, waits, signal)
    // The last of them tells when it is gone; this is for what the watch doesn't show.
    return { requeueAfter: intervalOf(source) }
  }

  /** `before`: how it was when this look began; what came in between was only on the way. */
  async #report(source: ManifestSource, finding: Finding, signal: AbortSignal, before: ManifestSource = source): Promise<ManifestSource> {
    const { client, clock, events } = this.#options
    const written = await writeStatus(client, source, statusOf(source, finding, clock.now()), signal)
    tellFinding(events, before, finding)
    return written
  }
}

function intervalOf({ spec }: ManifestSource): Millis {
  return parseDuration(spec.interval) ?? 0
}

function handledOf({ metadata }: ManifestSource): Pick<Finding, 'handledSync'> {
  const requested = metadata.annotations?.[SYNC_REQUESTED_ANNOTATION]
  return requested === undefined ? {} : { handledSync: requested }
}
/** The server repeats bad values in what it says of them. */
function withoutSecrets(outcome: PassOutcome, variables: Substitute | undefined): PassOutcome {
  if (variables === undefined) return outcome
  return { ...outcome, problems: outcome.problems.map((problem) => ({ ...problem, message: maskSecrets(problem.message, variables) })) }
}
