import type { Clock } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Client } from '../client/client.ts'
import { DirectoryOrigin } from '../gitops/directory-origin.ts'
import { kustomize } from '../gitops/kustomize.ts'
import type { ManifestOrigin } from '../gitops/snapshot.ts'
import { createGitOps } from '../gitops/source-controller.ts'
import type { SharedInformers } from '../informer/shared-informers.ts'
import type { Runnable } from '../reconcile/manager.ts'

/** What keeps ManifestSources applied on this host. */
export function gitOps(options: {
  readonly client: Client
  readonly clock: Clock
  readonly log: Logger
  readonly informers: SharedInformers
}): Runnable {
  const { clock } = options
  return createGitOps({
    ...options,
    originOf: ({ spec }) => {
      return spec.path === undefined ? unread : new DirectoryOrigin({ path: spec.path, clock, kustomize })
    },
  })
}

/** Of repositories, until they are read. */
const unread: ManifestOrigin = {
  fetch: async () => ({ type: 'failed', reason: 'GitFailed', message: 'this version of pmk reads directories only' }),
  watch: () => ({ degraded: () => undefined }),
  discard: async () => {},
}
