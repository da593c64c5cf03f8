import { objectKey } from '../api/object.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Client } from '../client/client.ts'
import type { ManifestSource, Secret } from '../generated/types.ts'
import { DirectoryOrigin } from '../gitops/directory-origin.ts'
import { GitOrigin, repositoryDirectory } from '../gitops/git-origin.ts'
import type { GitSecrets } from '../gitops/git-repository.ts'
import { kustomize } from '../gitops/kustomize.ts'
import type { ManifestOrigin } from '../gitops/snapshot.ts'
import { createGitOps } from '../gitops/source-controller.ts'
import type { Lister } from '../informer/informer.ts'
import type { SharedInformers } from '../informer/shared-informers.ts'
import type { Runnable } from '../reconcile/manager.ts'

export interface GitOpsHostOptions {
  readonly client: Client
  readonly clock: Clock
  readonly log: Logger
  readonly informers: SharedInformers
  /** Where repositories are kept. */
  readonly directory: string
}

/** What keeps ManifestSources applied on this host. */
export function gitOps({ directory, ...options }: GitOpsHostOptions): Runnable {
  const { clock, informers } = options
  const secrets = informers.for('Secret')
  return createGitOps({
    ...options,
    originOf: (source): ManifestOrigin => {
      const { path, git } = source.spec
      if (git === undefined) return new DirectoryOrigin({ path: path ?? '', clock, kustomize })
      const repository = repositoryDirectory(directory, source.metadata.uid, git)
      return new GitOrigin({ directory: repository, reference: git, secrets: () => secretsOf(source, secrets), kustomize })
    },
  })
}

function secretsOf({ metadata, spec }: ManifestSource, secrets: Lister<Secret>): GitSecrets | { readonly missing: string } {
  const find = (name: string): ReadonlyMap<string, string> | undefined => {
    const secret = secrets.get(objectKey(metadata.namespace, name))
    if (secret === undefined) return undefined
    return new Map(Object.entries(secret.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]))
  }
  const { secretRef, verify } = spec.git ?? {}
  const missing = [secretRef?.name, verify?.secretRef.name].find((name) => name !== undefined && find(name) === undefined)
  if (missing !== undefined) return { missing: `Secret ${metadata.namespace}/${missing} is not there` }
  return {
    login: (secretRef && find(secretRef.name)) ?? new Map<string, string>(),
    trusted: verify && find(verify.secretRef.name),
  }
}
