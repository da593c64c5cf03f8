import { findCondition } from '../api/conditions.ts'
import { epochOf, type Timestamp } from '../base/clock.ts'
import type { Instance, Process, Revision, Termination, Transition } from '../generated/types.ts'
import { type Writer, writerOf } from './why-managers.ts'
import { type Keeper, type KeeperEvidence, keeperOf } from './why-source.ts'
import { NO_START } from './why-words.ts'

/** Something that somebody asked for and that counts now. */
export interface Order extends Partial<Writer> {
  readonly order: 'stop' | 'suspend' | 'restart' | 'pause' | 'rollout' | 'delete'
  /** Of a suspension that ends by itself. */
  readonly until?: Timestamp
}

export interface Rollout {
  readonly from?: string
  readonly to: string
  /** The number of `to`, as `rollout history` shows it. */
  readonly revision?: number
  readonly changeCause?: string
  readonly underWay: boolean
  readonly message?: string
}

export interface InstanceStory {
  readonly name: string
  readonly phase: string
  readonly reason: string
  readonly message?: string
  readonly since?: Timestamp
  readonly ready: boolean
  readonly pid?: number
  readonly startedAt?: Timestamp
  readonly restartCount: number
  readonly nextStartAt?: Timestamp
  readonly restartPolicy: string
  readonly node: string
  /** Why the program that runs now was started. */
  readonly start?: Transition
  /** The reason word of the last start that failed. */
  readonly startError?: string
  readonly lastTermination?: Termination
  readonly transitions: readonly Transition[]
}

/** All that there is to say about why a Process, or one Instance, is as it is. */
export interface Explanation {
  readonly kind: 'Process' | 'Instance'
  readonly name: string
  readonly namespace: string
  readonly process: string
  readonly reason: string
  readonly message?: string
  readonly since?: Timestamp
  /** The ManifestSource that keeps the Process as its manifest says. */
  readonly source?: Keeper
  readonly orders: readonly Order[]
  readonly rollout?: Rollout
  readonly instances: readonly InstanceStory[]
}

export interface Evidence {
  /** Undefined for an Instance that its Process has left behind. */
  readonly process: Process | undefined
  readonly instances: readonly Instance[]
  readonly revisions: readonly Revision[]
  readonly keeper?: KeeperEvidence | undefined
  /** That one alone is asked about. */
  readonly only?: Instance
  readonly now: Timestamp
}

/** Puts together what the objects tell. Pure. */
export function explain({ process, instances, revisions, keeper, only, now }: Evidence): Explanation {
  const stories = (only === undefined ? instances : [only]).map((instance) => storyOf(process, instance))
  const [first] = stories
  const rollout = process && rolloutOf(process, revisions, stories)
  const orders = process === undefined ? [] : ordersOf(process, stories, rollout, now)
  const place = (only ?? process)?.metadata
  const name = place?.name ?? ''
  const source = process && keeper && keeperOf(process, keeper)
  const base = {
    name,
    namespace: place?.namespace ?? '',
    process: process?.metadata.name ?? only?.spec.process ?? name,
    ...(source !== undefined && { source }),
  }
  if (only !== undefined && first !== undefined) {
    const { reason, message, since } = first
    const said = { ...(message !== undefined && { message }), ...(since !== undefined && { since }) }
    return { kind: 'Instance', ...base, reason, ...said, orders, ...(rollout && { rollout }), instances: stories }
  }
  const message = process?.status?.message
  const since = sinceOfAll(process, stories)
  return {
    kind: 'Process',
    ...base,
    reason: process?.status?.reason ?? 'Pending',
    ...(message !== undefined && { message }),
    ...(since !== undefined && { since }),
    orders,
    ...(rollout && { rollout }),
    instances: stories,
  }
}

function storyOf(process: Process | undefined, { metadata, spec, status = {} }: Instance): InstanceStory {
  const {
    phase = 'Pending',
    reason = phase,
    message,
    ready = false,
    pid,
    startedAt,
    restartCount = 0,
    nextStartAt,
    lastTermination,
  } = status
  const transitions = withActors(process, status.transitions ?? [])
  const start = pid === undefined ? undefined : transitions.findLast((each) => each.pid === pid && isStart(each))
  const failedStart =
    lastTermination?.reason === 'StartError' ? transitions.findLast(({ message: why }) => why === lastTermination.message) : undefined
  const since = sinceOf(status.conditions, reason, transitions, startedAt)
  return {
    name: metadata.name,
    phase,
    reason,
    ...(message !== undefined && { message }),
    ...(since !== undefined && { since }),
    ready,
    ...(pid !== undefined && { pid }),
    ...(startedAt !== undefined && { startedAt }),
    restartCount,
    ...(nextStartAt !== undefined && { nextStartAt }),
    restartPolicy: spec.template.restartPolicy,
    node: spec.nodeName,
    ...(start !== undefined && { start }),
    ...(failedStart !== undefined && { startError: failedStart.cause }),
    ...(lastTermination !== undefined && { lastTermination }),
    transitions,
  }
}

/** What follows from the Process at once: the field, and its value that led to the change. */
const ORDERED: Readonly<Record<string, { readonly field: 'desiredState' | 'suspend'; readonly value: unknown }>> = {
  StartRequested: { field: 'desiredState', value: 'Running' },
  StopRequested: { field: 'desiredState', value: 'Stopped' },
  Suspended: { field: 'suspend', value: true },
  Resumed: { field: 'suspend', value: false },
}

/** An agent doesn't see who wrote a field of the Process. Of the last change that follows from the present value this can be told. */
function withActors(process: Process | undefined, transitions: readonly Transition[]): readonly Transition[] {
  if (process === undefined) return transitions
  const all = [...transitions]
  for (const [cause, { field, value }] of Object.entries(ORDERED)) {
    const at = all.findLastIndex((each) => each.cause === cause)
    const last = all[at]
    const writer = last === undefined || last.actor !== undefined || process.spec[field] !== value ? undefined : writerOf(process, field)
    if (last !== undefined && writer !== undefined) all[at] = { ...last, actor: writer.manager }
  }
  return all
}

function isStart({ phase, cause }: Transition): boolean {
  return (phase === 'Running' || phase === 'Starting') && !NO_START.has(cause)
}

/** Since when it is as it is. A program that is well has been so since it became ready. */
function sinceOf(
  conditions: NonNullable<Instance['status']>['conditions'],
  reason: string,
  transitions: readonly Transition[],
  startedAt: Timestamp | undefined,
): Timestamp | undefined {
  if (reason === 'Running' || reason === 'NotReady') return findCondition(conditions, 'Ready')?.lastTransitionTime ?? startedAt
  const marks: Readonly<Record<string, string>> = {
    Suspended: 'Suspended',
    CrashLoopBackOff: 'Backoff',
    Blocked: 'DependencyNotReady',
    GaveUp: 'GaveUp',
    Paused: 'Paused',
  }
  const mark = marks[reason]
  return (transitions.findLast(({ cause }) => cause === mark) ?? transitions.at(-1))?.time
}

/** A Process is as the Instance is that it shows; else as its own Ready condition tells. */
function sinceOfAll(process: Process | undefined, stories: readonly InstanceStory[]): Timestamp | undefined {
  const { status } = process ?? {}
  if (status?.reason === 'Running') return findCondition(status.conditions, 'Ready')?.lastTransitionTime
  const times = stories.flatMap(({ reason, since }) => (since !== undefined && reason === status?.reason ? [since] : []))
  const [earliest] = times.sort((a, b) => epochOf(a) - epochOf(b))
  return earliest
}

function ordersOf(process: Process, stories: readonly InstanceStory[], rollout: Rollout | undefined, now: Timestamp): readonly Order[] {
  const { metadata, spec } = process
  const orders: Order[] = []
  if (metadata.deletionTimestamp !== undefined) orders.push({ order: 'delete', time: metadata.deletionTimestamp })
  if (spec.desiredState === 'Stopped') orders.push({ order: 'stop', ...writerOf(process, 'desiredState') })
  const { suspendUntil } = spec
  if (spec.suspend && (suspendUntil === undefined || epochOf(suspendUntil) > epochOf(now))) {
    orders.push({ order: 'suspend', ...writerOf(process, 'suspend'), ...(suspendUntil !== undefined && { until: suspendUntil }) })
  }
  if (spec.updateStrategy.paused) orders.push({ order: 'pause', ...writerOf(process, 'updateStrategy.paused') })
  const restartedAt = spec.restartedAt
  // An old one that has nothing to do with the present start is no news; the agent's message names the one it is about.
  const isNews = stories.some(({ start, transitions }) => (start ?? transitions.at(-1))?.message?.includes(restartedAt ?? '\n') === true)
  if (restartedAt !== undefined && isNews) orders.push({ order: 'restart', ...writerOf(process, 'restartedAt'), time: restartedAt })
  if (rollout?.underWay === true) orders.push({ order: 'rollout', ...lastWriter(process) })
  return orders
}

/** Whoever changed anything of spec last. */
function lastWriter(process: Process): Writer | undefined {
  const writers = Object.keys(process.spec).flatMap((field) => writerOf(process, field) ?? [])
  return writers.sort((a, b) => epochOf(a.time ?? '') - epochOf(b.time ?? '')).at(-1)
}

/** The roll that is under way, or the one that started what runs now. */
function rolloutOf({ status, spec }: Process, revisions: readonly Revision[], stories: readonly InstanceStory[]): Rollout | undefined {
  const to = status?.updateRevision
  if (status === undefined || to === undefined) return undefined
  const progressing = findCondition(status.conditions, 'Progressing')
  const behind = (status.updatedReplicas ?? 0) < spec.replicas
  const underWay = status.currentRevision !== undefined && behind && spec.desiredState === 'Running'
  const didStart = stories.some(({ start }) => start?.cause === 'Rollout')
  if (!underWay && !didStart) return undefined
  const newest = revisions.find(({ metadata }) => metadata.name === to)
  const from = underWay ? status.currentRevision : undefined
  return {
    ...(from !== undefined && from !== to && { from }),
    to,
    ...(newest !== undefined && { revision: newest.revision }),
    ...(newest?.spec.cause !== undefined && { changeCause: newest.spec.cause }),
    underWay,
    ...(progressing?.message !== undefined && { message: progressing.message }),
  }
}
