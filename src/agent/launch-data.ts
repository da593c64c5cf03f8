import { hasReason } from '../api/status.ts'
import type { Client } from '../client/client.ts'
import type { ProcessTemplate } from '../generated/types.ts'

/** Texts by key. */
export type Data = Readonly<Record<string, string>>

/** The decoded data of a Secret or ConfigMap; undefined when there is no such object. */
export async function readData(
  client: Pick<Client, 'for'>,
  kind: 'Secret' | 'ConfigMap',
  name: string,
  namespace: string | undefined,
  signal: AbortSignal,
): Promise<Data | undefined> {
  const ref = { name, ...(namespace === undefined ? {} : { namespace }) }
  try {
    if (kind === 'ConfigMap') {
      const { data = {}, binaryData = {} } = await client.for('ConfigMap').get(ref, { signal })
      return { ...decoded(binaryData), ...data }
    }
    return decoded((await client.for('Secret').get(ref, { signal })).data ?? {})
  } catch (err) {
    if (hasReason(err, 'NotFound')) return undefined
    throw err
  }
}

/** The Secrets and ConfigMaps that an environment refers to. */
export function referencesOf({ env = [], envFrom = [] }: ProcessTemplate): readonly (readonly ['Secret' | 'ConfigMap', string])[] {
  const references: ['Secret' | 'ConfigMap', string][] = []
  for (const { secretRef, configMapRef } of envFrom) {
    if (secretRef !== undefined) references.push(['Secret', secretRef.name])
    if (configMapRef !== undefined) references.push(['ConfigMap', configMapRef.name])
  }
  for (const { valueFrom } of env) {
    if (valueFrom?.secretKeyRef !== undefined) references.push(['Secret', valueFrom.secretKeyRef.name])
    if (valueFrom?.configMapKeyRef !== undefined) references.push(['ConfigMap', valueFrom.configMapKeyRef.name])
  }
  return references
}

function decoded(data: Data): Data {
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]))
}
