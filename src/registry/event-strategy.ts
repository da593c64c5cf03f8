import { forbiddenField, invalidField, requiredField, tooLongField, unsupportedField } from '../api/field-errors.ts'
import { checkQualifiedName } from '../api/names.ts'
import type { Cause } from '../api/status.ts'
import { jsonEqual } from '../base/json.ts'
import type { Event, EventsV1Event } from '../generated/types.ts'
import { eventOf, viewNames } from './event-projection.ts'
import { DEFAULT_NAMESPACE } from './namespace-strategy.ts'
import type { Strategy } from './strategy.ts'

/** What the schema allows of `message`. */
const MAX_MESSAGE = 1_024
const MAX_WORD = 128

/**
 * Rules for Events as Kubernetes has them: what comes through v1 may be almost anything, and only what has an eventTime, as newer clients
 * send it, must be whole.
 */
export const eventStrategy: Strategy<Event> = {
  /** Recorders of v1 send whole error messages. Kubernetes takes them, and so do we, as far as there is room: no Event may be lost for its length. */
  normalize(body) {
    const { message, eventTime } = body
    if (typeof message !== 'string' || message.length <= MAX_MESSAGE || (eventTime ?? null) !== null) return body
    return { ...body, message: `${message.slice(0, MAX_MESSAGE - ELLIPSIS.length).replace(/[\uD800-\uDBFF]$/, '')}${ELLIPSIS}` }
  },

  validate: (next) => causesOf(next, (name) => name),
}

const ELLIPSIS = '...'

/** Through events.k8s.io/v1 an Event is made whole, and then only its series changes. */
export const eventsV1EventStrategy: Strategy<EventsV1Event> = {
  validate(next, prev) {
    const causes = causesOf(eventOf(next), (name) => viewNames.get(name) ?? name)
    if (prev === undefined) return [...causes, ...causesOfNew(next), ...causesOfSeries(next)]
    const changed = FIXED.filter((field) => !jsonEqual(next[field], prev[field])).map((field) =>
      invalidField(field, next[field] ?? null, 'field is immutable'),
    )
    return [...causes, ...(jsonEqual(next.series, prev.series) ? [] : causesOfSeries(next)), ...changed]
  },
}

const FIXED = [
  'regarding',
  'related',
  'reason',
  'note',
  'type',
  'action',
  'eventTime',
  'reportingController',
  'reportingInstance',
  'deprecatedSource',
  'deprecatedFirstTimestamp',
  'deprecatedLastTimestamp',
  'deprecatedCount',
] as const

/** Kubernetes' own namespace for what belongs to none; ours is only there when somebody makes it. */
const SYSTEM_NAMESPACE = 'kube-system'

function causesOf(event: Event, nameOf: (field: string) => string): readonly Cause[] {
  const { involvedObject, metadata, eventTime, reportingComponent, reportingInstance, action, reason } = event
  const about = involvedObject?.namespace ?? ''
  const isNew = eventTime !== undefined
  const isPlaced =
    about === ''
      ? metadata.namespace === DEFAULT_NAMESPACE || (isNew && metadata.namespace === SYSTEM_NAMESPACE)
      : isNew || about === metadata.namespace
  const causes: Cause[] = isPlaced ? [] : [invalidField(`${nameOf('involvedObject')}.namespace`, about, 'does not match event.namespace')]
  if (!isNew) return causes
  const verdict = reportingComponent ? checkQualifiedName(reportingComponent) : undefined
  if (verdict !== undefined) causes.push(invalidField(nameOf('reportingComponent'), reportingComponent, verdict))
  for (const [field, word] of Object.entries({ reportingComponent, reportingInstance, action, reason })) {
    if (!word) causes.push(requiredField(nameOf(field)))
    else if (word.length > MAX_WORD) causes.push(tooLongField(nameOf(field), `may not be more than ${MAX_WORD} characters`))
  }
  return causes
}

function causesOfNew(event: EventsV1Event): readonly Cause[] {
  const { eventTime, type, deprecatedSource = {}, deprecatedFirstTimestamp, deprecatedLastTimestamp, deprecatedCount } = event
  const causes: Cause[] = eventTime === undefined ? [requiredField('eventTime')] : []
  if (type !== 'Normal' && type !== 'Warning') causes.push(unsupportedField('type', type ?? '', ['Normal', 'Warning']))
  const ofOld = {
    deprecatedSource: deprecatedSource.component || deprecatedSource.host,
    deprecatedFirstTimestamp,
    deprecatedLastTimestamp,
    deprecatedCount,
  }
  for (const [field, value] of Object.entries(ofOld)) if (value) causes.push(forbiddenField(field, 'needs to be unset'))
  return causes
}

function causesOfSeries({ series }: EventsV1Event): readonly Cause[] {
  if (series === undefined) return []
  const causes: Cause[] = (series.count ?? 0) < 2 ? [invalidField('series.count', series.count ?? 0, 'should be at least 2')] : []
  return series.lastObservedTime === undefined ? [...causes, requiredField('series.lastObservedTime')] : causes
}
