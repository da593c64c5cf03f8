import { objectKey } from '../api/object.ts'
import { aborted } from '../base/abort.ts'
import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Client } from '../client/client.ts'
import type { ManifestSource, Secret } from '../generated/types.ts'
import { DirectoryOrigin } from '../gitops/directory-origin.ts'
import { removeAbandoned, removeEarlier, removeLeftovers, repositoryDirectory } from '../gitops/git-directories.ts'
import { GitOrigin } from '../gitops/git-origin.ts'
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
  const { clock, log, informers } = options
  const secrets = informers.for('Secret')
  const sources = informers.for('ManifestSource')
  const controller = createGitOps({
    ...options,
    originOf: (source): ManifestOrigin => {
      const { path, git } = source.spec
      if (git === undefined) return new DirectoryOrigin({ path: path ?? '', clock, kustomize })
      const repository = repositoryDirectory(directory, source.metadata.uid, git)
      removeEarlier(directory, source.metadata.uid ?? '', repository).catch((err) => log.warn({ err }, 'An old repository is still there'))
      return new GitOrigin({ directory: repository, reference: git, secrets: () => secretsOf(source, secrets), kustomize })
    },
  })
  return {
    run: async (signal) => {
      await removeLeftovers(directory)
      await Promise.all([controller.run(signal), tidy(signal)])
    },
  }

  /** Once it is known which sources there are. */
  async function tidy(signal: AbortSignal): Promise<void> {
    await Promise.race([sources.synced, aborted(signal)])
    if (signal.aborted) return
    await removeAbandoned(directory, () => {
      const pointed = sources.list().flatMap(({ spec, metadata }) => (spec.git === undefined ? [] : [{ git: spec.git, uid: metadata.uid }]))
      return new Set(pointed.map(({ git, uid }) => repositoryDirectory(directory, uid, git)))
    })
  }
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
