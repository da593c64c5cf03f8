import type { Json } from '../api/openapi-schema.ts'

/** What the names of types begin with that belong to every group. */
export const META = 'io.k8s.apimachinery.pkg.apis.meta.v1'

const text = (description: string): Json => ({ type: 'string', description })
const integer = (description: string): Json => ({ type: 'integer', format: 'int64', description })

export const listMetaSchema: Json = {
  description: 'Of which state a list is, and how to go on with it.',
  type: 'object',
  properties: {
    resourceVersion: text('The state of which this is a list: a watch goes on from here.'),
    continue: text('Send it back to get the next page. Absent: this was the last one.'),
    remainingItemCount: integer('How many objects follow on further pages, if that is known.'),
  },
}

export function statusSchema(listMeta: Json): Json {
  return {
    description: 'What became of a request that has no object to show.',
    type: 'object',
    properties: {
      apiVersion: text('v1'),
      kind: text('Status'),
      metadata: { description: 'Of which state it tells.', allOf: [listMeta] },
      status: text('Success or Failure.'),
      message: text('A sentence for people.'),
      reason: text('A word for programs.'),
      details: { type: 'object', description: 'What it is about, and each cause of a failure.' },
      code: { type: 'integer', format: 'int32', description: 'The HTTP status.' },
    },
    'x-kubernetes-group-version-kind': [{ group: '', version: 'v1', kind: 'Status' }],
  }
}

export const deleteOptionsSchema: Json = {
  description: 'How something is deleted.',
  type: 'object',
  properties: {
    apiVersion: text('v1'),
    kind: text('DeleteOptions'),
    gracePeriodSeconds: integer('Seconds that a polite stop may take. 0 means to kill.'),
    preconditions: {
      type: 'object',
      description: 'The object is deleted only if it is this one, in this state.',
      properties: { uid: text('Its uid.'), resourceVersion: text('Its resourceVersion.') },
    },
    propagationPolicy: text('What becomes of dependents: Orphan, Background or Foreground.'),
    dryRun: { type: 'array', description: 'All: check and answer as if it were done, and delete nothing.', items: { type: 'string' } },
  },
  'x-kubernetes-group-version-kind': [{ group: '', version: 'v1', kind: 'DeleteOptions' }],
}

export const scaleSchema: Json = {
  description: 'How many there are of something, and how many there should be.',
  type: 'object',
  properties: {
    apiVersion: text('autoscaling/v1'),
    kind: text('Scale'),
    metadata: { type: 'object', description: 'That of the object which is scaled.' },
    spec: {
      type: 'object',
      description: 'How many there should be.',
      properties: { replicas: { type: 'integer', format: 'int32', description: 'The number.' } },
    },
    status: {
      type: 'object',
      description: 'How many there are.',
      properties: {
        replicas: { type: 'integer', format: 'int32', description: 'The number.' },
        selector: text('The labels by which they are found.'),
      },
    },
  },
  'x-kubernetes-group-version-kind': [{ group: 'autoscaling', version: 'v1', kind: 'Scale' }],
}
