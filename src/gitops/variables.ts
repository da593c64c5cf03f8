import { createHash } from 'node:crypto'
import type { ConfigMap, ManifestSource, Secret } from '../generated/types.ts'
import type { Substitute } from './substitute.ts'

const NAME = /^[_a-zA-Z][_a-zA-Z0-9]*$/

/** The values of spec.substitute; what is missing is named. Keys that are no names of variables are passed over. */
export function variablesOf(
  { spec, metadata }: ManifestSource,
  find: (kind: 'ConfigMap' | 'Secret', namespace: string, name: string) => ConfigMap | Secret | undefined,
): { readonly variables: Substitute | undefined } | { readonly missing: string } {
  if (spec.substitute === undefined) return { variables: undefined }
  const { namespace = 'default' } = metadata
  const values = new Map<string, string>()
  for (const { kind, name, optional } of spec.substitute.from ?? []) {
    const object = find(kind, namespace, name)
    if (object === undefined && !optional) return { missing: `${kind} ${namespace}/${name} of spec.substitute.from is not there` }
    for (const [key, value] of Object.entries(object?.data ?? {}))
      if (NAME.test(key)) values.set(key, object?.kind === 'Secret' ? Buffer.from(value, 'base64').toString() : value)
  }
  for (const [key, value] of Object.entries(spec.substitute.values ?? {})) values.set(key, value)
  const digest = createHash('sha256')
    .update(JSON.stringify([...values].sort()))
    .digest('hex')
  return { variables: { values, digest } }
}
