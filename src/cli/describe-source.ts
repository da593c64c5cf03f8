import { findCondition } from '../api/conditions.ts'
import type { Timestamp } from '../base/clock.ts'
import { stringifyYaml } from '../base/yaml.ts'
import type { ManifestSource } from '../generated/types.ts'
import { nameOf, parseInventoryId } from '../gitops/inventory.ts'
import { fields, indent, KEY_WIDTH, section, timeText } from './describe-text.ts'

/** Objects that are named of each kind; `-o yaml` has them all. */
const MOST_NAMED = 20

export function describeSource({ metadata, spec, status }: ManifestSource, now: Timestamp): string {
  const { path, git } = spec
  const ready = findCondition(status?.conditions, 'Ready')
  const told = fields(
    [
      ['From', path ?? git?.url],
      ['Ref', git === undefined ? undefined : refText(git.ref)],
      ['Path in it', git?.path === '' ? undefined : git?.path],
      ['Waits for', spec.dependsOn?.map(({ name, namespace = metadata.namespace }) => `source/${name} in ${namespace}`).join('\n')],
      ['Looked at every', spec.interval],
      ['Suspended', spec.suspend ? `yes; to end that: pmk resume source/${metadata.name}` : undefined],
      ['Ready', `${status?.ready ?? 'Unknown'}${status?.reason === undefined ? '' : ` (${status.reason})`}`],
      ['Message', status?.message ?? ready?.message],
      ['Applied', revisionText(status?.appliedRevision, status?.lastAppliedTime, now)],
      ['Attempted', status?.attemptedRevision === status?.appliedRevision ? undefined : status?.attemptedRevision],
      ['Files', status?.files],
      ['Objects', status?.objects ?? 0],
    ],
    KEY_WIDTH,
  )
  return [
    told,
    list('Errors', status?.errors),
    list('Notes', status?.notes),
    pendingText(metadata.name, status?.pendingPrune),
    inventoryText(status?.inventory),
    specText(spec),
  ].join('')
}

function refText(ref: object): string {
  const given = Object.entries(ref).filter(([, value]) => value !== undefined && value !== '')
  return given.length === 0 ? 'the default branch' : given.map(([kind, value]) => `${kind} ${value}`).join(', ')
}

function revisionText(revision: string | undefined, time: Timestamp | undefined, now: Timestamp): string {
  if (revision === undefined) return 'nothing yet'
  return time === undefined ? revision : `${revision}, ${timeText(time, now)}`
}

function list(title: string, texts: readonly string[] | undefined): string {
  return texts === undefined || texts.length === 0 ? '' : section(title, texts.map((text) => `${text.replaceAll('\n', ' ')}\n`).join(''))
}

function pendingText(name: string, pending: NonNullable<ManifestSource['status']>['pendingPrune']): string {
  if (pending === undefined) return ''
  const why = pending.reason === undefined ? '' : `\nBecause: ${pending.reason}`
  return fields([['Removal held back', `${pending.objects} objects${why}\nTo carry it out: pmk sync ${name} --confirm-prune`]], KEY_WIDTH)
}

function inventoryText(inventory: readonly string[] = []): string {
  const byKind = new Map<string, string[]>()
  for (const id of inventory) {
    const kind = parseInventoryId(id)?.definition.kind ?? id.split('/')[0] ?? id
    const name = nameOf(id).replace(`${kind} `, '')
    const names = byKind.get(kind)
    if (names === undefined) byKind.set(kind, [name])
    else names.push(name)
  }
  const pairs = [...byKind].map(([kind, names]) => {
    const more = names.length > MOST_NAMED ? [`… and ${names.length - MOST_NAMED} more`] : []
    return [`${kind} (${names.length})`, [...names.slice(0, MOST_NAMED), ...more].join('\n')] as const
  })
  return pairs.length === 0 ? '' : section('Keeps applied', fields(pairs))
}

/** What has no line above. */
function specText({ path: _, git: __, interval: ___, suspend: ____, dependsOn: _____, ...rest }: ManifestSource['spec']): string {
  return `Spec:\n${indent(stringifyYaml(rest))}`
}
