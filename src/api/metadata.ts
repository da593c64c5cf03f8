import { duplicateField, invalidField, requiredField, tooLongField } from './field-errors.ts'
import { checkDnsLabel, checkLabelValue, checkName, checkQualifiedName } from './names.ts'
import type { ResourceDefinition } from './scheme.ts'
import type { Cause } from './status.ts'
import type { DecodedObject } from './validate.ts'

/** All keys and values of annotations together, in bytes. */
const ANNOTATIONS_LIMIT = 256 * 1024

/**
 * What a schema can't say of metadata: the syntax of names, labels, annotations and finalizers, and owners that make sense.
 * For the finished object: a name that is to be generated has been. One cause for each bad field.
 */
export function validateMetadata(definition: ResourceDefinition, metadata: DecodedObject['metadata']): readonly Cause[] {
  return [
    ...validateName(definition, metadata),
    ...validateLabels(metadata.labels ?? {}),
    ...validateAnnotations(metadata.annotations ?? {}),
    ...validateFinalizers(metadata.finalizers ?? []),
    ...validateOwners(metadata.ownerReferences ?? []),
  ]
}

function validateName({ nameFormat, maxNameLength, scope }: ResourceDefinition, metadata: DecodedObject['metadata']): Cause[] {
  const { name = '', generateName, namespace } = metadata
  const causes: Cause[] = []
  if (name === '') {
    causes.push(requiredField('metadata.name', generateName === undefined ? 'name or generateName is required' : undefined))
  } else {
    const verdict = checkName(nameFormat, name, maxNameLength)
    if (verdict !== undefined) causes.push(invalidField('metadata.name', name, verdict))
  }
  if (scope === 'Namespaced') {
    const verdict = namespace === undefined ? undefined : checkDnsLabel(namespace)
    if (namespace === undefined || namespace === '') causes.push(requiredField('metadata.namespace'))
    else if (verdict !== undefined) causes.push(invalidField('metadata.namespace', namespace, verdict))
  } else if (namespace !== undefined && namespace !== '') {
    causes.push({ field: 'metadata.namespace', reason: 'FieldValueForbidden', message: 'Forbidden: not allowed on this type; remove it' })
  }
  return causes
}

function validateLabels(labels: Readonly<Record<string, string>>): Cause[] {
  return Object.entries(labels).flatMap(([key, value]) => {
    const wrongKey = checkQualifiedName(key)
    if (wrongKey !== undefined) return [invalidField('metadata.labels', key, wrongKey)]
    const wrongValue = checkLabelValue(value)
    return wrongValue === undefined ? [] : [invalidField(`metadata.labels[${key}]`, value, wrongValue)]
  })
}

function validateAnnotations(annotations: Readonly<Record<string, string>>): Cause[] {
  const causes: Cause[] = []
  let size = 0
  for (const [key, value] of Object.entries(annotations)) {
    // Tools write keys in capitals; only the prefix of a label must be in lower case, so the check is made on lower case.
    const verdict = checkQualifiedName(key.toLowerCase())
    if (verdict !== undefined) causes.push(invalidField('metadata.annotations', key, verdict))
    size += Buffer.byteLength(key) + Buffer.byteLength(value)
  }
  if (size > ANNOTATIONS_LIMIT) causes.push(tooLongField('metadata.annotations', `may not be more than ${ANNOTATIONS_LIMIT} bytes in all`))
  return causes
}

function validateFinalizers(finalizers: readonly string[]): Cause[] {
  const seen = new Set<string>()
  return finalizers.flatMap((finalizer, index) => {
    const field = `metadata.finalizers[${index}]`
    if (seen.has(finalizer)) return [duplicateField(field, finalizer)]
    seen.add(finalizer)
    const verdict = checkQualifiedName(finalizer)
    if (verdict !== undefined) return [invalidField(field, finalizer, verdict)]
    if (finalizer.includes('/') || ['orphan', 'foregroundDeletion', 'kubernetes'].includes(finalizer)) return []
    return [invalidField(field, finalizer, 'must have a domain in front, such as example.com/my-finalizer')]
  })
}

function validateOwners(owners: NonNullable<DecodedObject['metadata']['ownerReferences']>): Cause[] {
  const causes: Cause[] = []
  owners.forEach((owner, index) => {
    for (const field of ['apiVersion', 'kind', 'name', 'uid'] as const) {
      if (owner[field] === '') causes.push(requiredField(`metadata.ownerReferences[${index}].${field}`, 'must not be empty'))
    }
  })
  const controllers = owners.filter(({ controller }) => controller === true)
  if (controllers.length > 1) {
    const names = controllers.map(({ kind, name }) => `${kind}/${name}`)
    causes.push(invalidField('metadata.ownerReferences', names, 'only one owner can have controller set to true'))
  }
  return causes
}
