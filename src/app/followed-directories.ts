import { hasReason } from '../api/status.ts'
import { type Clock, type Millis, sleep } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Client } from '../client/client.ts'
import type { ManifestSource } from '../generated/types.ts'
import { MADE_BY_FLAG, MADE_BY_LABEL } from '../gitops/well-known.ts'

/** Where the sources of --manifests are. */
const NAMESPACE = 'default'
/** A store that refuses writes may take them again. */
const RETRY: Millis = 10_000

/** One --manifests. */
export interface FollowedDirectory {
  readonly name: string
  /** Absolute. */
  readonly path: string
}

export interface FollowOptions {
  readonly client: Client
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Sees to it that there is a ManifestSource for each --manifests, and tells of those that an earlier start made and this one doesn't
 * name: they are state by now, and a start by hand without the flag must not take a host's processes off its manifests. Only
 * what the flag made is changed, and of that only the path. Resolves after the first try; what failed is tried again until the signal.
 */
export async function followDirectories(
  options: FollowOptions,
  directories: readonly FollowedDirectory[],
  signal: AbortSignal,
): Promise<void> {
  const failed = await tryAll(options, directories, signal)
  if (failed.length > 0) void retry(options, failed, signal)
  try {
    for (const { metadata } of await leftOver(options.client, directories, signal)) {
      const message = 'A source that --manifests made is followed although it is not given any more; to end that: pmk delete source/NAME'
      options.log.warn({ source: metadata.name }, message)
    }
  } catch (err) {
    if (signal.aborted) return
    options.log.warn({ err }, 'Sources that --manifests made earlier could not be looked at')
  }
}

/** Sources that an earlier --manifests made, and none of these asks for. */
export async function leftOver(
  client: Client,
  directories: readonly FollowedDirectory[],
  signal: AbortSignal,
): Promise<readonly ManifestSource[]> {
  const labelSelector = `${MADE_BY_LABEL}=${MADE_BY_FLAG}`
  const { items } = await client.for('ManifestSource').list({ namespace: NAMESPACE, labelSelector, signal })
  return items.filter(({ metadata }) => !directories.some(({ name }) => name === metadata.name))
}

/** Those of the directories that no source of their name follows. */
export async function notFollowed(
  client: Client,
  directories: readonly FollowedDirectory[],
  signal: AbortSignal,
): Promise<readonly FollowedDirectory[]> {
  const found = await Promise.all(directories.map(({ name }) => find(client, name, signal)))
  return directories.filter(({ path }, at) => found[at]?.spec.path !== path)
}

async function retry(options: FollowOptions, directories: readonly FollowedDirectory[], signal: AbortSignal): Promise<void> {
  for (let left = directories; left.length > 0 && !signal.aborted; ) {
    try {
      await sleep(options.clock, RETRY, signal)
    } catch {
      return
    }
    left = await tryAll(options, left, signal)
  }
}

/** Gives those that are worth another try. */
async function tryAll(
  options: FollowOptions,
  directories: readonly FollowedDirectory[],
  signal: AbortSignal,
): Promise<readonly FollowedDirectory[]> {
  const failed: FollowedDirectory[] = []
  for (const directory of directories) {
    try {
      await follow(options, directory, signal)
    } catch (err) {
      if (signal.aborted) return []
      options.log.error({ err, source: directory.name, path: directory.path }, 'The source of --manifests could not be written')
      failed.push(directory)
    }
  }
  return failed
}

async function follow({ client, log }: FollowOptions, { name, path }: FollowedDirectory, signal: AbortSignal): Promise<void> {
  const present = await find(client, name, signal)
  if (present !== undefined && present.metadata.labels?.[MADE_BY_LABEL] !== MADE_BY_FLAG) {
    // Somebody's own: it may say more than the flag does.
    if (present.spec.path !== path)
      log.error(
        { source: name, path },
        'The directory of --manifests is not followed: there is a ManifestSource of its name for another place. Choose a name: --manifests NAME=DIR',
      )
    return
  }
  const value = {
    apiVersion: 'pmk.dev/v1',
    kind: 'ManifestSource',
    metadata: { name, namespace: NAMESPACE, labels: { [MADE_BY_LABEL]: MADE_BY_FLAG } },
    spec: { path },
  }
  await client.for('ManifestSource').patch({ name, namespace: NAMESPACE }, { type: 'apply', value, force: true }, { signal })
}

async function find(client: Client, name: string, signal: AbortSignal): Promise<ManifestSource | undefined> {
  try {
    return await client.for('ManifestSource').get({ name, namespace: NAMESPACE }, { signal })
  } catch (err) {
    if (hasReason(err, 'NotFound')) return undefined
    throw err
  }
}
