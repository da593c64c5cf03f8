/** One server, one user of it, and the context that puts them together, all of them for a kubeconfig. */
export type KubeconfigEntry = Place & Credentials

interface Place {
  /** Of the cluster; the context is called so, too, unless it is told otherwise. */
  readonly name: string
  readonly context?: string
  /** Of the user's entry. */
  readonly user: string
  /** https://HOST:PORT */
  readonly server: string
  /** PEM. */
  readonly certificateAuthority: string
}

/** A certificate with its key, both in PEM, or a bearer token. */
type Credentials = { readonly certificate: string; readonly key: string } | { readonly token: string }

interface Named {
  readonly name: string
  readonly [field: string]: unknown
}

/** As `kubectl` and client-go read it (v1 Config of client.config.k8s.io). */
export interface Kubeconfig {
  readonly apiVersion: 'v1'
  readonly kind: 'Config'
  readonly clusters: readonly Named[]
  readonly users: readonly Named[]
  readonly contexts: readonly Named[]
  readonly 'current-context': string
}

export function kubeconfigOf(entry: KubeconfigEntry): Kubeconfig {
  const { name, context = name, user, server, certificateAuthority } = entry
  const base64 = (text: string): string => Buffer.from(text).toString('base64')
  const credentials =
    'token' in entry
      ? { token: entry.token }
      : { 'client-certificate-data': base64(entry.certificate), 'client-key-data': base64(entry.key) }
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server, 'certificate-authority-data': base64(certificateAuthority) } }],
    users: [{ name: user, user: credentials }],
    contexts: [{ name: context, context: { cluster: name, user, namespace: 'default' } }],
    'current-context': context,
  }
}

/** JSON is YAML as well, and needs no library to be written. */
export function kubeconfigText(config: Kubeconfig): string {
  return `${JSON.stringify(config, undefined, 2)}\n`
}
