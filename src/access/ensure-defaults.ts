import { hasReason } from '../api/status.ts'
import { jsonEqual } from '../base/json.ts'
import type { Client } from '../client/client.ts'
import type { ClusterRole, ClusterRoleBinding, Subject } from '../generated/types.ts'
import { uncovered } from './covers.ts'
import { AUTOUPDATE, DEFAULT_CLUSTER_ROLE_BINDINGS, DEFAULT_CLUSTER_ROLES, type DefaultBinding, type DefaultRole } from './default-roles.ts'

/**
 * Creates the built-in roles and bindings, and gives back to them what is missing. What somebody added stays, and one whose
 * autoupdate annotation is "false" is left alone.
 */
export async function ensureDefaults(client: Client): Promise<void> {
  await Promise.all(DEFAULT_CLUSTER_ROLES.map((wanted) => ensureRole(client, wanted)))
  await Promise.all(DEFAULT_CLUSTER_ROLE_BINDINGS.map((wanted) => ensureBinding(client, wanted)))
}

async function ensureRole(client: Client, wanted: DefaultRole): Promise<void> {
  const roles = client.for('ClusterRole')
  const present = await orUndefined(roles.get({ name: wanted.metadata.name }), 'NotFound')
  if (present === undefined) {
    await orUndefined(roles.create(wanted), 'AlreadyExists')
    return
  }
  if (isLeftAlone(present)) return
  const { rules = [] } = present
  const missing = uncovered(rules, wanted.rules ?? [])
  const metadata = completed(present, wanted)
  if (missing.length > 0 || metadata !== present.metadata) {
    await orUndefined(roles.update({ ...present, metadata, rules: [...rules, ...missing] }), 'Conflict')
  }
}

async function ensureBinding(client: Client, wanted: DefaultBinding): Promise<void> {
  const bindings = client.for('ClusterRoleBinding')
  const present = await orUndefined(bindings.get({ name: wanted.metadata.name }), 'NotFound')
  if (present !== undefined && isLeftAlone(present)) return
  if (present === undefined || present.roleRef.name !== wanted.roleRef?.name) {
    if (present !== undefined) await orUndefined(bindings.delete({ name: present.metadata.name }), 'NotFound')
    await orUndefined(bindings.create(wanted), 'AlreadyExists')
    return
  }
  const { subjects = [] } = present
  const missing = (wanted.subjects ?? []).filter((subject) => !subjects.some((each: Subject) => jsonEqual(each, subject)))
  const metadata = completed(present, wanted)
  if (missing.length > 0 || metadata !== present.metadata) {
    await orUndefined(bindings.update({ ...present, metadata, subjects: [...subjects, ...missing] }), 'Conflict')
  }
}

function isLeftAlone({ metadata }: ClusterRole | ClusterRoleBinding): boolean {
  return metadata.annotations?.[AUTOUPDATE] === 'false'
}

/** With the labels and annotations of built-in ones: the very same metadata when they are there. */
function completed({ metadata }: ClusterRole | ClusterRoleBinding, wanted: DefaultRole | DefaultBinding): ClusterRole['metadata'] {
  const labels = { ...wanted.metadata.labels, ...metadata.labels }
  const annotations = { ...wanted.metadata.annotations, ...metadata.annotations }
  const isComplete = jsonEqual(labels, metadata.labels ?? {}) && jsonEqual(annotations, metadata.annotations ?? {})
  return isComplete ? metadata : { ...metadata, labels, annotations }
}

/** Undefined when it failed for that reason: somebody else was faster, and has done the same. */
async function orUndefined<T>(call: Promise<T>, reason: 'NotFound' | 'AlreadyExists' | 'Conflict'): Promise<T | undefined> {
  try {
    return await call
  } catch (err) {
    if (hasReason(err, reason)) return undefined
    throw err
  }
}
