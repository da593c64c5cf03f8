import { createHash } from 'node:crypto'
import type { ApiObject } from '../api/object.ts'
import { structuralSchema } from '../api/openapi-schema.ts'
import { type Column, qualifiedResource, type ResourceDefinition } from '../api/scheme.ts'
import type { Timestamp } from '../base/clock.ts'
import type { CustomResourceDefinition } from '../generated/types.ts'

/** The kinds that Kubernetes doesn't know itself: its tools look for a CustomResourceDefinition of each. */
export function isCustom({ group, verbs }: ResourceDefinition): boolean {
  return (group === 'pmk.dev' || group.endsWith('.pmk.dev')) && verbs.includes('list')
}

/** A kind as Kubernetes' tools know kinds that were added to it, there since `createdAt` and of this version. */
export function customResourceDefinition(
  definition: ResourceDefinition,
  { createdAt, resourceVersion }: { readonly createdAt: Timestamp; readonly resourceVersion: string },
): CustomResourceDefinition & ApiObject {
  const { group, version, kind, plural, singular, shortNames, categories, scope, schema, selectableFields } = definition
  const name = qualifiedResource(definition)
  const names = { plural, singular, kind, listKind: `${kind}List`, shortNames, categories }
  const columns = definition.columns.flatMap(printerColumn)
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name, uid: uidOf(name), resourceVersion, generation: 1, creationTimestamp: createdAt },
    spec: {
      group,
      names,
      scope,
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: structuralSchema(schema) },
          subresources: subresourcesOf(definition),
          additionalPrinterColumns: columns,
          selectableFields: selectableFields.map((path) => ({ jsonPath: `.${path}` })),
        },
      ],
      conversion: { strategy: 'None' },
    },
    status: {
      conditions: [
        { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found', lastTransitionTime: createdAt },
        {
          type: 'Established',
          status: 'True',
          reason: 'InitialNamesAccepted',
          message: 'the initial names have been accepted',
          lastTransitionTime: createdAt,
        },
      ],
      acceptedNames: names,
      storedVersions: [version],
    },
  }
}

function subresourcesOf({ subresources: { status, scale } }: ResourceDefinition): object {
  return {
    ...(status === undefined ? {} : { status: {} }),
    ...(scale === undefined
      ? {}
      : {
          scale: {
            specReplicasPath: `.${scale.specReplicas}`,
            statusReplicasPath: `.${scale.statusReplicas}`,
            labelSelectorPath: `.${scale.selector}`,
          },
        }),
  }
}

/** Only a column that shows one field as it is has a counterpart. */
function printerColumn({ name, type, value, description, priority = 0 }: Column) {
  const [, path] = /^\{([A-Za-z.]+(?:\[[^\]]+\])?)(?::[^}]*)?\}$/.exec(value) ?? []
  if (path === undefined || /\.(?:length|lower|number)$/.test(path)) return []
  const jsonPath = path.replace(/\[([^\]]+)\]/, (_, key: string) => `.${key.replaceAll('.', '\\.')}`)
  return [{ name, type, description, priority, jsonPath: `.${jsonPath}` }]
}

/** The same from every server, for all time: in the form of a UUID of version 8, from the name. */
function uidOf(name: string): string {
  const hex = createHash('sha256').update(`customresourcedefinition/${name}`).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
