import { randomUUID } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { objectKey } from '../api/object.ts'
import type { SourcePreviewer } from '../api/source-preview.ts'
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
import type { LookTurns } from '../gitops/look-turns.ts'
import type { ManifestOrigin } from '../gitops/snapshot.ts'
import { createGitOps } from '../gitops/source-controller.ts'
import { previewSource } from '../gitops/source-preview.ts'
import type { SharedInformers } from '../informer/shared-informers.ts'
import { orAbsent } from '../manifest/live.ts'
import type { Runnable } from '../reconcile/manager.ts'

export interface GitOpsHostOptions {
  readonly client: Client
  readonly clock: Clock
  readonly log: Logger
  readonly informers: SharedInformers
  /** Where repositories are kept. */
  readonly directory: string
  /** Shared by all that looks at directories of manifests. */
  readonly turns: LookTurns
}

/** What keeps ManifestSources applied on this host. */
export function gitOps({ directory, turns, ...options }: GitOpsHostOptions): Runnable {
  const { clock, log, informers } = options
  const secrets = informers.for('Secret')
  const sources = informers.for('ManifestSource')
  const controller = createGitOps({
    ...options,
    originOf: (source) => {
      const { git } = source.spec
      if (git !== undefined) {
        const repository = repositoryDirectory(directory, source.metadata.uid, git)
        removeEarlier(directory, source.metadata.uid ?? '', repository).catch((err) =>
          log.warn({ err }, 'An old repository is still there'),
        )
      }
      return originOf(source, { clock, turns, directory, secret: (name) => secrets.get(objectKey(source.metadata.namespace, name)) })
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

/** Tells what a ManifestSource would change now, with a reader of its own, in another directory: the one that keeps it applied goes on undisturbed. */
export function sourcePreviewer({
  client,
  clock,
  directory,
  turns,
}: Pick<GitOpsHostOptions, 'client' | 'clock' | 'directory' | 'turns'>): SourcePreviewer {
  return async (object, signal) => {
    const source = object as ManifestSource
    const { git } = source.spec
    const { namespace = 'default' } = source.metadata
    const names = [git?.secretRef?.name, git?.verify?.secretRef.name].filter((name) => name !== undefined)
    const secrets = await Promise.all(names.map((name) => orAbsent(client.for('Secret').get({ namespace, name }, { signal }))))
    const secret = (name: string): Secret | undefined => secrets.find((one) => one?.metadata.name === name)
    const place = join(directory, randomUUID())
    try {
      return await previewSource(source, { client, clock, signal, origin: originOf(source, { clock, turns, directory: place, secret }) })
    } finally {
      await rm(place, { recursive: true, force: true })
    }
  }
}

/** Removes what previews that were cut short by the end of a server have left. */
export async function clearPreviews(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true })
}

interface OriginOptions {
  readonly clock: Clock
  readonly turns: LookTurns
  readonly directory: string
  /** A Secret in the namespace of the source. */
  readonly secret: (name: string) => Secret | undefined
}

function originOf(source: ManifestSource, { clock, turns, directory, secret }: OriginOptions): ManifestOrigin {
  const { path, git } = source.spec
  if (git === undefined) return new DirectoryOrigin({ path: path ?? '', clock, kustomize, turns })
  const repository = repositoryDirectory(directory, source.metadata.uid, git)
  return new GitOrigin({ directory: repository, reference: git, secrets: () => secretsOf(source, secret), kustomize })
}

function secretsOf({ metadata, spec }: ManifestSource, secretOf: OriginOptions['secret']): GitSecrets | { readonly missing: string } {
  const find = (name: string): ReadonlyMap<string, string> | undefined => {
    const secret = secretOf(name)
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
