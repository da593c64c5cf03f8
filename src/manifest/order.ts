import type { Manifest } from './manifest.ts'

/** Kinds that others need to be there; whatever isn't named comes last, in the order of the files. */
const RANKS: Readonly<Record<string, number>> = {
  Namespace: 0,
  ClusterRole: 1,
  Role: 1,
  ConfigMap: 2,
  Secret: 2,
  ClusterRoleBinding: 2,
  RoleBinding: 2,
}
const LAST = 3

/** Lower ranks are needed by higher ones. */
export function rankOf(kind: string): number {
  return RANKS[kind] ?? LAST
}

/** The manifests in groups: what is in one group needs nothing of it or of a later one. For deletion go backwards. */
export function groupByOrder(manifests: readonly Manifest[]): readonly (readonly Manifest[])[] {
  const groups: Manifest[][] = Array.from({ length: LAST + 1 }, () => [])
  for (const manifest of manifests) groups[rankOf(manifest.definition.kind)]?.push(manifest)
  return groups.filter((group) => group.length > 0)
}
