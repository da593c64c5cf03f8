/** A manifest of a Process; `spec` and `metadata` are added to what every one has. */
export function processYaml(name: string, spec: object = {}, metadata: object = {}): string {
  const object = {
    apiVersion: 'pmk.dev/v1',
    kind: 'Process',
    metadata: { name, ...metadata },
    spec: { command: ['sleep', '1000'], ...spec },
  }
  // JSON is YAML.
  return `${JSON.stringify(object)}\n`
}

/** A manifest of a kind of the core group. */
export function coreYaml(kind: string, name: string, rest: object = {}): string {
  return `${JSON.stringify({ apiVersion: 'v1', kind, metadata: { name }, ...rest })}\n`
}

/** Several manifests in one file. */
export function documents(...manifests: readonly string[]): string {
  return manifests.map((manifest) => `---\n${manifest}`).join('')
}
