import { createHash } from 'node:crypto'
import { launchFieldsOf, launchTextOf } from '../api/launch-fields.ts'
import { controllerOf } from '../api/owners.ts'
import { jsonEqual } from '../base/json.ts'
import type { Instance, Process, Revision } from '../generated/types.ts'
import type { LaunchData } from './launch-data.ts'

export type RevisionChoice =
  /** It is there, and the newest. */
  | { readonly type: 'use'; readonly revision: Revision }
  /** An old template came back: its Revision becomes the newest again. */
  | { readonly type: 'renumber'; readonly revision: Revision; readonly number: number }
  | { readonly type: 'create'; readonly name: string; readonly number: number; readonly collisions: number }

/** Which Revision the Process wants now. `revisions`: all that name it, whoever owns them. Pure. */
export function chooseRevision(process: Process, data: LaunchData, revisions: readonly Revision[]): RevisionChoice {
  const ours = revisions.filter((revision) => isOurs(process, revision))
  const template = launchFieldsOf(process.spec, { withoutDefaults: true })
  const newest = newestOf(ours)
  const same = ours.filter(({ spec }) => jsonEqual(spec.template, template))
  // Whoever takes a Secret away takes nothing from programs that run: they roll when it is back and has changed.
  if (data.incomplete && newest !== undefined && same.includes(newest)) return { type: 'use', revision: newest }
  const found = newestOf(same.filter(({ spec }) => spec.dataHash === data.fingerprint))
  if (found !== undefined && found === newest) return { type: 'use', revision: found }
  const number = (newest?.revision ?? 0) + 1
  if (found !== undefined) return { type: 'renumber', revision: found, number }
  const taken = new Set(revisions.map(({ metadata }) => metadata.name))
  for (let collisions = 0; ; collisions++) {
    const name = revisionName(process, data, collisions)
    if (!taken.has(name)) return { type: 'create', name, number, collisions }
  }
}

/** Derived from what is in it: made twice, it is the same object. */
export function revisionName(process: Process, data: LaunchData, collisions: number): string {
  const hash = createHash('sha256').update(launchTextOf(process.spec))
  if (data.fingerprint !== undefined) hash.update(`\n${data.fingerprint}`)
  if (collisions > 0) hash.update(`\n#${collisions}`)
  return `${process.metadata.name}-${hash.digest('hex').slice(0, 8)}`
}

/** Without an owner, or left by an earlier Process of the name: history that goes on with this one. */
export function isAdoptableRevision(process: Process, revision: Revision): boolean {
  const controller = controllerOf(revision)
  return controller?.uid !== process.metadata.uid && isOurs(process, revision)
}

/** Old Revisions beyond the limit that nothing runs, oldest first. Pure. */
export function obsoleteRevisions(process: Process, revisions: readonly Revision[], instances: readonly Instance[]): readonly Revision[] {
  const used = new Set([process.status?.currentRevision, process.status?.updateRevision])
  for (const { spec, status } of instances) used.add(spec.revision).add(status?.revision)
  const old = revisions
    .filter((revision) => isOurs(process, revision) && !used.has(revision.metadata.name))
    .sort((a, b) => a.revision - b.revision)
  return old.slice(0, Math.max(0, old.length - process.spec.revisionHistoryLimit))
}

function isOurs(process: Process, revision: Revision): boolean {
  if (revision.metadata.deletionTimestamp !== undefined) return false
  const controller = controllerOf(revision)
  if (controller === undefined) return true
  return controller.kind === process.kind && controller.apiVersion === process.apiVersion && controller.name === process.metadata.name
}

function newestOf(revisions: readonly Revision[]): Revision | undefined {
  return revisions.reduce<Revision | undefined>(
    (newest, next) => (newest === undefined || next.revision > newest.revision ? next : newest),
    undefined,
  )
}
