import { launchFieldsOf } from '../api/launch-fields.ts'
import { type New, type ObjectKey, objectKey } from '../api/object.ts'
import { ownerReferenceTo } from '../api/owners.ts'
import type { Clock } from '../base/clock.ts'
import { inParallel, WRITES } from '../base/in-parallel.ts'
import type { Client } from '../client/client.ts'
import type { ConfigMap, Instance, Process, Revision, Secret } from '../generated/types.ts'
import type { Lister } from '../informer/informer.ts'
import type { ReconcileContext } from '../reconcile/reconciler.ts'
import { deleteIfThere } from './delete-if-there.ts'
import { type LaunchData, launchDataOf } from './launch-data.ts'
import { chooseRevision, isAdoptableRevision, obsoleteRevisions } from './revisions.ts'
import { CHANGE_CAUSE_ANNOTATION, NEWEST_SINCE_ANNOTATION, PROCESS_LABEL } from './well-known.ts'

/** Instances and Revisions by the key of the Process that they name in their spec. */
export const PROCESS_INDEX = 'process'

export interface ProcessRevisionsOptions {
  readonly client: Client
  /** With the index PROCESS_INDEX. */
  readonly revisions: Lister<Revision>
  readonly secrets: Lister<Secret>
  readonly configMaps: Lister<ConfigMap>
  readonly clock: Clock
}

/** The Revisions of Processes, as they are stored. */
export class ProcessRevisions {
  readonly #options: ProcessRevisionsOptions

  constructor(options: ProcessRevisionsOptions) {
    this.#options = options
  }

  find(process: Process, name: string | undefined): Revision | undefined {
    return name === undefined ? undefined : this.#options.revisions.get(objectKey(process.metadata.namespace, name))
  }

  /** The one that the Process wants now: made, numbered anew or adopted where that is needed. */
  async ensure(
    process: Process,
    key: ObjectKey,
    context: ReconcileContext,
  ): Promise<{ readonly revision: Revision; readonly collisions: number }> {
    const { client, clock, revisions: lister } = this.#options
    const { signal, log } = context
    const revisions = lister.byIndex(PROCESS_INDEX, key)
    const data = launchDataOf(process.spec, (kind, name) => this.#data(kind, objectKey(process.metadata.namespace, name)))
    const choice = chooseRevision(process, data, revisions)
    const chosen = choice.type === 'create' ? undefined : choice.revision
    const left = revisions.filter((revision) => revision !== chosen && isAdoptableRevision(process, revision))
    await inParallel(left, WRITES, (revision) => client.for('Revision').update(adopted(process, revision), { signal }))
    switch (choice.type) {
      case 'use': {
        if (!isAdoptableRevision(process, choice.revision)) return { revision: choice.revision, collisions: 0 }
        return { revision: await client.for('Revision').update(adopted(process, choice.revision), { signal }), collisions: 0 }
      }
      case 'renumber': {
        log.info({ revision: choice.revision.metadata.name, number: choice.number }, 'Old revision is the newest again')
        const next = renumbered(adopted(process, choice.revision), choice.number, clock.now())
        return { revision: await client.for('Revision').update(next, { signal }), collisions: 0 }
      }
      case 'create': {
        const next = newRevision(process, choice.name, choice.number, data)
        return { revision: await client.for('Revision').create(next, { signal }), collisions: choice.collisions }
      }
    }
  }

  /** Deletes old ones beyond the limit of the Process that nothing runs. */
  async removeObsolete(
    process: Process,
    key: ObjectKey,
    newest: Revision,
    instances: readonly Instance[],
    signal: AbortSignal,
  ): Promise<void> {
    const { client, revisions } = this.#options
    const others = revisions.byIndex(PROCESS_INDEX, key).filter(({ metadata }) => metadata.name !== newest.metadata.name)
    await inParallel(obsoleteRevisions(process, others, instances), WRITES, ({ metadata }) =>
      // Only as it was seen: it may just have become the newest again.
      deleteIfThere(client.for('Revision'), metadata, { uid: metadata.uid, resourceVersion: metadata.resourceVersion, signal }),
    )
  }

  #data(kind: 'Secret' | 'ConfigMap', key: ObjectKey): Secret | ConfigMap | undefined {
    return kind === 'Secret' ? this.#options.secrets.get(key) : this.#options.configMaps.get(key)
  }
}

function newRevision(process: Process, name: string, number: number, data: LaunchData): New<Revision> {
  const { metadata, spec } = process
  const cause = metadata.annotations?.[CHANGE_CAUSE_ANNOTATION]
  return {
    apiVersion: 'pmk.dev/v1',
    kind: 'Revision',
    metadata: {
      name,
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      labels: { ...metadata.labels, [PROCESS_LABEL]: metadata.name },
      ownerReferences: [ownerReferenceTo(process)],
    },
    revision: number,
    spec: {
      process: metadata.name,
      ...(cause === undefined ? {} : { cause }),
      ...(data.fingerprint === undefined ? {} : { dataHash: data.fingerprint }),
      template: launchFieldsOf(spec, { withoutDefaults: true }),
    },
  }
}

function adopted(process: Process, revision: Revision): Revision {
  const others = (revision.metadata.ownerReferences ?? []).filter(({ controller }) => controller !== true)
  return { ...revision, metadata: { ...revision.metadata, ownerReferences: [...others, ownerReferenceTo(process)] } }
}

function renumbered(revision: Revision, number: number, now: string): Revision {
  const annotations = { ...revision.metadata.annotations, [NEWEST_SINCE_ANNOTATION]: now }
  return { ...revision, revision: number, metadata: { ...revision.metadata, annotations } }
}
