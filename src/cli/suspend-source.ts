import type { Client } from '../client/client.ts'
import type { FoundTarget } from './targets.ts'
import type { Context } from './verb.ts'
import { watchUntil } from './watch-until.ts'
import { withTimeout } from './with-timeout.ts'

export interface SourceSuspension {
  readonly manager: string
  readonly suspend: boolean
  readonly wait: boolean
  readonly timeout: number
}

/** Suspends a ManifestSource or ends that. Waiting means: until the server has taken note. */
export async function suspendSource(
  ctx: Context,
  client: Client,
  { ref }: FoundTarget,
  name: string,
  wanted: SourceSuspension,
): Promise<void> {
  const { manager, suspend, wait, timeout } = wanted
  const sources = client.for('ManifestSource')
  const write = { fieldManager: manager, signal: ctx.signal }
  const { metadata } = await sources.patch(ref, { type: 'merge', value: { spec: { suspend } } }, write)
  if (!wait) return
  const message = `timed out waiting until the server has taken note of it: ${name} ${suspend ? 'suspend' : 'resume'}`
  await withTimeout(ctx, timeout, message, (signal) =>
    watchUntil(sources, ref, signal, (object) => {
      const { observedGeneration = 0, reason } = object?.status ?? {}
      return object === undefined || (observedGeneration >= metadata.generation && (reason === 'Suspended') === suspend)
    }),
  )
}
