/**
 * How a value lies on the wire and what it is in JSON. int: a number. bytes: base64. time: RFC 3339 in whole seconds; microTime: with six
 * decimals. strings: a message of nothing but strings, which is a list in JSON. json: a message whose only field is JSON text. raw: bytes,
 * which stay bytes.
 */
export type Scalar = 'string' | 'int' | 'bool' | 'bytes' | 'time' | 'microTime' | 'strings' | 'json' | 'raw'

export interface MessageField {
  readonly name: string
  readonly type: Scalar | MessageType
  readonly shape: 'one' | 'list' | 'map'
  /** Also written in JSON when it is empty, 0 or false: Go says so by a pointer, or by leaving `omitempty` out. */
  readonly keepZero: boolean
}

/** The fields of a message by their numbers. */
export type MessageType = Readonly<Record<number, MessageField>>

function field(name: string, type: Scalar | MessageType = 'string', keepZero = false): MessageField {
  return { name, type, shape: 'one', keepZero }
}
function kept(name: string, type: Scalar = 'string'): MessageField {
  return field(name, type, true)
}
function list(name: string, type: Scalar | MessageType = 'string'): MessageField {
  return { name, type, shape: 'list', keepZero: true }
}
/** Keys are strings, always. */
function map(name: string, type: Scalar = 'string'): MessageField {
  return { name, type, shape: 'map', keepZero: true }
}

/** What stands around every object: which kind it is, its bytes, and how these are encoded. */
export const envelope: MessageType = {
  1: field('typeMeta', { 1: field('apiVersion'), 2: field('kind') }),
  2: field('raw', 'raw'),
  3: field('contentEncoding'),
}

// The numbers are those of `generated.proto` in k8s.io/api and k8s.io/apimachinery, which never change.

const ownerReference: MessageType = {
  1: kept('kind'),
  3: kept('name'),
  4: kept('uid'),
  5: kept('apiVersion'),
  6: kept('controller', 'bool'),
  7: kept('blockOwnerDeletion', 'bool'),
}

const managedFieldsEntry: MessageType = {
  1: field('manager'),
  2: field('operation'),
  3: field('apiVersion'),
  4: field('time', 'time'),
  6: field('fieldsType'),
  7: field('fieldsV1', 'json'),
  8: field('subresource'),
}

const objectMeta: MessageType = {
  1: field('name'),
  2: field('generateName'),
  3: field('namespace'),
  4: field('selfLink'),
  5: field('uid'),
  6: field('resourceVersion'),
  7: field('generation', 'int'),
  8: field('creationTimestamp', 'time'),
  9: field('deletionTimestamp', 'time'),
  10: kept('deletionGracePeriodSeconds', 'int'),
  11: map('labels'),
  12: map('annotations'),
  13: list('ownerReferences', ownerReference),
  14: list('finalizers'),
  17: list('managedFields', managedFieldsEntry),
}

const metadata = field('metadata', objectMeta)

const requirement: MessageType = { 1: kept('key'), 2: kept('operator'), 3: list('values') }

const attributesSelector: MessageType = { 1: field('rawSelector'), 2: list('requirements', requirement) }

const resourceAttributes: MessageType = {
  1: field('namespace'),
  2: field('verb'),
  3: field('group'),
  4: field('version'),
  5: field('resource'),
  6: field('subresource'),
  7: field('name'),
  8: field('fieldSelector', attributesSelector),
  9: field('labelSelector', attributesSelector),
}

const nonResourceAttributes: MessageType = { 1: field('path'), 2: field('verb') }

const accessReviewStatus: MessageType = {
  1: kept('allowed', 'bool'),
  2: field('reason'),
  3: field('evaluationError'),
  4: field('denied', 'bool'),
}

const selfSubjectAccessReview: MessageType = {
  1: metadata,
  2: field('spec', {
    1: field('resourceAttributes', resourceAttributes),
    2: field('nonResourceAttributes', nonResourceAttributes),
  }),
  3: field('status', accessReviewStatus),
}

const subjectAccessReview: MessageType = {
  1: metadata,
  2: field('spec', {
    1: field('resourceAttributes', resourceAttributes),
    2: field('nonResourceAttributes', nonResourceAttributes),
    3: field('user'),
    4: list('groups'),
    5: map('extra', 'strings'),
    6: field('uid'),
  }),
  3: field('status', accessReviewStatus),
}

const selfSubjectRulesReview: MessageType = {
  1: metadata,
  2: field('spec', { 1: field('namespace') }),
  3: field('status', {
    1: list('resourceRules', { 1: list('verbs'), 2: list('apiGroups'), 3: list('resources'), 4: list('resourceNames') }),
    2: list('nonResourceRules', { 1: list('verbs'), 2: list('nonResourceURLs') }),
    3: kept('incomplete', 'bool'),
    4: field('evaluationError'),
  }),
}

const selfSubjectReview: MessageType = {
  1: metadata,
  2: field('status', {
    1: field('userInfo', { 1: field('username'), 2: field('uid'), 3: list('groups'), 4: map('extra', 'strings') }),
  }),
}

const namespaceCondition: MessageType = {
  1: kept('type'),
  2: kept('status'),
  4: field('lastTransitionTime', 'time'),
  5: field('reason'),
  6: field('message'),
}

const namespace: MessageType = {
  1: metadata,
  2: field('spec', { 1: list('finalizers') }),
  3: field('status', { 1: field('phase'), 2: list('conditions', namespaceCondition) }),
}

const configMap: MessageType = { 1: metadata, 2: map('data'), 3: map('binaryData', 'bytes'), 4: kept('immutable', 'bool') }

const secret: MessageType = {
  1: metadata,
  2: map('data', 'bytes'),
  3: field('type'),
  4: map('stringData'),
  5: kept('immutable', 'bool'),
}

const objectReference: MessageType = {
  1: field('kind'),
  2: field('namespace'),
  3: field('name'),
  4: field('uid'),
  5: field('apiVersion'),
  6: field('resourceVersion'),
  7: field('fieldPath'),
}

const eventSource: MessageType = { 1: field('component'), 2: field('host') }

const coreEvent: MessageType = {
  1: metadata,
  2: field('involvedObject', objectReference),
  3: field('reason'),
  4: field('message'),
  5: field('source', eventSource),
  6: field('firstTimestamp', 'time'),
  7: field('lastTimestamp', 'time'),
  8: field('count', 'int'),
  9: field('type'),
  10: field('eventTime', 'microTime'),
  11: field('series', { 1: field('count', 'int'), 2: field('lastObservedTime', 'microTime') }),
  12: field('action'),
  13: field('related', objectReference),
  14: kept('reportingComponent'),
  15: kept('reportingInstance'),
}

const event: MessageType = {
  1: metadata,
  2: field('eventTime', 'microTime'),
  3: field('series', { 1: kept('count', 'int'), 2: field('lastObservedTime', 'microTime') }),
  4: field('reportingController'),
  5: field('reportingInstance'),
  6: field('action'),
  7: field('reason'),
  8: field('regarding', objectReference),
  9: field('related', objectReference),
  10: field('note'),
  11: field('type'),
  12: field('deprecatedSource', eventSource),
  13: field('deprecatedFirstTimestamp', 'time'),
  14: field('deprecatedLastTimestamp', 'time'),
  15: field('deprecatedCount', 'int'),
}

const lease: MessageType = {
  1: metadata,
  2: field('spec', {
    1: kept('holderIdentity'),
    2: kept('leaseDurationSeconds', 'int'),
    3: field('acquireTime', 'microTime'),
    4: field('renewTime', 'microTime'),
    5: kept('leaseTransitions', 'int'),
    6: kept('strategy'),
    7: kept('preferredHolder'),
  }),
}

const policyRule: MessageType = {
  1: list('verbs'),
  2: list('apiGroups'),
  3: list('resources'),
  4: list('resourceNames'),
  5: list('nonResourceURLs'),
}

const role: MessageType = { 1: metadata, 2: list('rules', policyRule) }

const clusterRole: MessageType = {
  ...role,
  3: field('aggregationRule', {
    1: list('clusterRoleSelectors', { 1: map('matchLabels'), 2: list('matchExpressions', requirement) }),
  }),
}

const roleBinding: MessageType = {
  1: metadata,
  2: list('subjects', { 1: kept('kind'), 2: field('apiGroup'), 3: kept('name'), 4: field('namespace') }),
  3: field('roleRef', { 1: kept('apiGroup'), 2: kept('kind'), 3: kept('name') }),
}

/** The same in every group; none of its fields says where it belongs. */
export const deleteOptions: MessageType = {
  1: kept('gracePeriodSeconds', 'int'),
  2: field('preconditions', { 1: kept('uid'), 2: kept('resourceVersion') }),
  3: kept('orphanDependents', 'bool'),
  4: kept('propagationPolicy'),
  5: list('dryRun'),
  6: kept('ignoreStoreReadErrorWithClusterBreakingPotential', 'bool'),
}

/** By group and kind: `authorization.k8s.io/SelfSubjectAccessReview`, `/Secret`. The versions of a kind share their numbers. */
const messages: Readonly<Record<string, MessageType>> = {
  '/Namespace': namespace,
  '/ConfigMap': configMap,
  '/Secret': secret,
  '/Event': coreEvent,
  'events.k8s.io/Event': event,
  'coordination.k8s.io/Lease': lease,
  'authorization.k8s.io/SelfSubjectAccessReview': selfSubjectAccessReview,
  'authorization.k8s.io/SelfSubjectRulesReview': selfSubjectRulesReview,
  'authorization.k8s.io/SubjectAccessReview': subjectAccessReview,
  'authorization.k8s.io/LocalSubjectAccessReview': subjectAccessReview,
  'authentication.k8s.io/SelfSubjectReview': selfSubjectReview,
  'rbac.authorization.k8s.io/Role': role,
  'rbac.authorization.k8s.io/ClusterRole': clusterRole,
  'rbac.authorization.k8s.io/RoleBinding': roleBinding,
  'rbac.authorization.k8s.io/ClusterRoleBinding': roleBinding,
}

/** Undefined for a kind that has no form in protobuf: all that are not Kubernetes' own. */
export function messageOf({ apiVersion, kind }: { readonly apiVersion: string; readonly kind: string }): MessageType | undefined {
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''
  const key = `${group}/${kind}`
  return Object.hasOwn(messages, key) ? messages[key] : undefined
}
