import type { SourceRef } from '../gitops/ownership.ts'

/** The command line that names a source, for somebody who works in `namespace`. */
export function sourceWord({ namespace, name }: SourceRef, inNamespace: string | undefined): string {
  return `source/${name}${namespace === inNamespace ? '' : ` -n ${namespace}`}`
}

/** The source behind a field manager. */
export function sourceOfManager(manager: string): SourceRef | undefined {
  const [, namespace, name] = /^source:([^/]+)\/([^/]+)$/.exec(manager) ?? []
  return namespace === undefined || name === undefined ? undefined : { namespace, name }
}
