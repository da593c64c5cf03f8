import { createHash } from 'node:crypto'
import type { ConfigMap, ManifestSource, Secret } from '../generated/types.ts'
import type { Substitute } from './substitute.ts'

const NAME = /^[_a-zA-Z][_a-zA-Z0-9]*$/

export interface Variables {
  /** Undefined: the source substitutes nothing. */
  readonly variables: Substitute | undefined
  /** Changes when a value may have changed. May be shown: it is made of the versions of Secrets, not of what they hold. */
  readonly version: string
}

/** The values of spec.substitute; what is missing is named. Keys that are no names of variables are passed over. */
export function variablesOf(
  { spec, metadata }: ManifestSource,
  find: (kind: 'ConfigMap' | 'Secret', namespace: string, name: string) => ConfigMap | Secret | undefined,
): Variables | { readonly missing: string } {
  if (spec.substitute === undefined) return { variables: undefined, version: '' }
  const { namespace = 'default' } = metadata
  const values = new Map<string, string>()
  const secrets = new Set<string>()
  const versions: unknown[] = []
  for (const { kind, name, optional } of spec.substitute.from ?? []) {
    const object = find(kind, namespace, name)
    if (object === undefined && !optional) return { missing: `${kind} ${namespace}/${name} of spec.substitute.from is not there` }
    versions.push([kind, name, object?.metadata.uid, object?.metadata.generation])
    for (const [key, value] of Object.entries(object?.data ?? {}))
      if (NAME.test(key)) {
        values.set(key, object?.kind === 'Secret' ? Buffer.from(value, 'base64').toString() : value)
        if (object?.kind === 'Secret') secrets.add(key)
        else secrets.delete(key)
      }
  }
  const own = Object.entries(spec.substitute.values ?? {}).sort()
  for (const [key, value] of own) {
    values.set(key, value)
    secrets.delete(key)
  }
  return { variables: { values, secrets, digest: digestOf([...values].sort()) }, version: digestOf([versions, own]) }
}

function digestOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex')
}
