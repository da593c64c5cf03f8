import type { New } from '../api/object.ts'
import { isControlledBy, ownerReferenceTo } from '../api/owners.ts'
import type { Instance, InstanceSpec, Process, Revision } from '../generated/types.ts'
import { instanceTemplate, launchOf } from './instance-template.ts'
import { instanceName } from './rollout.ts'
import { INDEX_LABEL, PROCESS_LABEL } from './well-known.ts'

/** A new Instance. It starts with whatever restart was asked for last already done. */
export function newInstance(
  process: Process,
  index: number,
  revision: Revision,
  nodeName: string,
): New<Instance> & { readonly metadata: { readonly name: string } } {
  const { restartedAt } = process.spec
  return {
    apiVersion: 'pmk.dev/v1',
    kind: 'Instance',
    metadata: {
      name: instanceName(process, index),
      ...(process.metadata.namespace === undefined ? {} : { namespace: process.metadata.namespace }),
      labels: instanceLabels(process, index),
      ownerReferences: [ownerReferenceTo(process)],
    },
    spec: {
      process: process.metadata.name,
      index,
      nodeName,
      revision: revision.metadata.name,
      ...liveSpec(process),
      ...(restartedAt === undefined ? {} : { rolloutRestartedAt: restartedAt }),
      template: instanceTemplate(process.spec, launchOfRevision(revision)),
    },
  }
}

/** The Instance as it should be without a restart: live fields, wanted state, labels and owner of the Process as it is now. */
export function refreshed(process: Process, instance: Instance, revision: Revision | undefined): Instance {
  const launch = revision === undefined ? launchOf(instance.spec.template) : launchOfRevision(revision)
  return owned(process, instance, { ...kept(instance.spec), ...liveSpec(process), template: instanceTemplate(process.spec, launch) })
}

/** The Instance with the newest Revision and the restart that was asked for: its agent restarts it. */
export function rolled(process: Process, instance: Instance, revision: Revision, actor: string | undefined): Instance {
  const { rolloutActor: _, ...rest } = kept(instance.spec)
  const { restartedAt } = process.spec
  return owned(process, instance, {
    ...rest,
    ...liveSpec(process),
    revision: revision.metadata.name,
    ...(restartedAt === undefined ? {} : { rolloutRestartedAt: restartedAt }),
    ...(actor === undefined ? {} : { rolloutActor: actor }),
    template: instanceTemplate(process.spec, launchOfRevision(revision)),
  })
}

function launchOfRevision({ spec }: Revision): Readonly<Record<string, unknown>> {
  return spec.template as Readonly<Record<string, unknown>>
}

function instanceLabels({ metadata }: Process, index: number): Readonly<Record<string, string>> {
  return { ...metadata.labels, [PROCESS_LABEL]: metadata.name, [INDEX_LABEL]: String(index) }
}

/** What is copied as it is, at once. */
function liveSpec({ spec }: Process): Pick<InstanceSpec, 'desiredState' | 'suspend' | 'suspendUntil'> {
  const { desiredState, suspend, suspendUntil } = spec
  return { desiredState, suspend, ...(suspendUntil === undefined ? {} : { suspendUntil }) }
}

/** All but what the Process says anew; `restartedAt`, which is people's, included. */
function kept({ suspendUntil: _, ...rest }: InstanceSpec): Omit<InstanceSpec, 'suspendUntil'> {
  return rest
}

function owned(process: Process, instance: Instance, spec: InstanceSpec): Instance {
  const ownerReferences = isControlledBy(instance, process)
    ? instance.metadata.ownerReferences
    : [...(instance.metadata.ownerReferences ?? []), ownerReferenceTo(process)]
  return {
    ...instance,
    metadata: {
      ...instance.metadata,
      labels: instanceLabels(process, instance.spec.index),
      ...(ownerReferences === undefined ? {} : { ownerReferences }),
    },
    spec,
  }
}
