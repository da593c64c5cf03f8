import { launchFieldsOf, liveFieldsOf } from '../api/launch-fields.ts'
import { applyMergePatch } from '../api/patch.ts'
import { age } from '../base/age.ts'
import type { Timestamp } from '../base/clock.ts'
import { stringifyYaml } from '../base/yaml.ts'
import type { Instance, Process } from '../generated/types.ts'
import { commandText, fields, indent, KEY_WIDTH, section, timeText } from './describe-text.ts'

/** Transitions shown; `pmk why` tells all that are kept. */
const TRANSITIONS = 5

/** Fields that have a line of their own above the rest of the spec. */
const TOLD: ReadonlySet<string> = new Set(['description', 'command', 'args', 'replicas', 'desiredState', 'suspend', 'suspendUntil'])

export function describeProcess({ spec, status }: Process): string {
  const wanted = spec.desiredState === 'Stopped' ? 'Stopped' : `${spec.replicas} running`
  const told = fields(
    [
      ['Description', spec.description],
      ['Wanted', spec.suspend ? `${wanted}, suspended${spec.suspendUntil === undefined ? '' : ` until ${spec.suspendUntil}`}` : wanted],
      ['Status', status?.reason],
      ['Instances', `${status?.readyReplicas ?? 0} ready, ${status?.updatedReplicas ?? 0} up to date, ${status?.replicas ?? 0} in all`],
      ['Revision', status?.updateRevision],
      ['Command', spec.command === undefined ? undefined : commandText([...spec.command, ...(spec.args ?? [])])],
    ],
    KEY_WIDTH,
  )
  return `${told}${specText(spec)}`
}

export function describeInstance({ spec, status }: Instance, now: Timestamp): string {
  const last = status?.lastTermination
  const told = fields(
    [
      ['Process', spec.process],
      ['Node', spec.nodeName],
      ['Wanted', spec.suspend ? `${spec.desiredState}, suspended` : spec.desiredState],
      ['Status', status?.reason ?? status?.phase ?? 'Pending'],
      ['Reason', status?.message],
      ['PID', status?.pid],
      ['Started', timeText(status?.startedAt, now)],
      ['Next start', status?.nextStartAt],
      ['Ready', status?.ready === true ? 'yes' : 'no'],
      ['Restarts', status?.restartCount ?? 0],
      ['Revision', status?.revision],
      ['Command', status?.command === undefined ? undefined : commandText([...status.command, ...(spec.template.args ?? [])])],
      ['Not honoured here', status?.hostGaps?.join('\n')],
    ],
    KEY_WIDTH,
  )
  const ended =
    last === undefined
      ? ''
      : section(
          'Last end',
          fields([
            ['When', timeText(last.finishedAt, now)],
            ['Reason', last.reason],
            ['Exit code', last.exitCode],
            ['Signal', last.signal],
            ['Message', last.message],
            ['Output', last.tail === undefined ? undefined : last.tail.trimEnd()],
          ]),
        )
  const transitions = (status?.transitions ?? []).slice(-TRANSITIONS)
  const history = transitions.map(
    ({ time, phase, cause, message }) =>
      [`${age(time, now)} ago`, `${phase} (${cause})${message === undefined ? '' : `: ${message}`}`] as const,
  )
  return `${told}${ended}${history.length === 0 ? '' : section('History', fields(history))}${specText(spec.template)}`
}

/** What was said in the manifest: defaults are left out. */
function specText(spec: object): string {
  const said = applyMergePatch(liveFieldsOf(spec, { withoutDefaults: true }), launchFieldsOf(spec, { withoutDefaults: true })) as Readonly<
    Record<string, unknown>
  >
  const rest = Object.fromEntries(Object.entries(said).filter(([key]) => !TOLD.has(key)))
  return Object.keys(rest).length === 0 ? '' : `Spec:\n${indent(stringifyYaml(rest))}`
}
