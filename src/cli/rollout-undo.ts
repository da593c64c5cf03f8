import { launchFieldsOf } from '../api/launch-fields.ts'
import { isJsonObject, type JsonObject } from '../base/json.ts'
import type { Process, Revision } from '../generated/types.ts'
import { CliError } from './cli-error.ts'
import { dryRunFlag } from './common-flags.ts'
import { DRY_RUN_NOTES, dryRunOf } from './dry-run.ts'
import { onEach, targetFlags, targetsOf } from './each-target.ts'
import { mergePatchBetween } from './merge-patch.ts'
import { defineVerb, type Verb } from './verb.ts'
import { revisionsOf } from './why.ts'

export const verb: Verb = defineVerb({
  usage: 'rollout undo NAME… | process/NAME… | -l LABELS | --all | -f FILE [--to-revision=N]',
  description:
    'Writes the launch fields of an earlier revision back into Processes, which then roll to it. All other fields stay as they are. The next apply of a file says again what the file says.',
  examples: ['pmk rollout undo web', 'pmk rollout undo web --to-revision=3', 'pmk rollout history web'],
  flags: {
    ...targetFlags,
    'to-revision': {
      type: 'integer',
      placeholder: 'N',
      default: 0,
      help: 'The number that rollout history shows; 0: the one before the newest',
    },
    ...dryRunFlag,
  },
  async run({ ctx, args, flags }) {
    const wanted = flags['to-revision']
    if (wanted < 0) throw new CliError('--to-revision must be a number that pmk rollout history shows', { usage: true })
    const dryRun = dryRunOf(flags['dry-run'])
    const targets = await targetsOf(ctx, args, flags, ['Process'])
    const { client } = await ctx.connect()
    return onEach(ctx, targets, async ({ ref, object }, name) => {
      const process = object as Process
      if (process.spec.updateStrategy.paused) {
        throw new CliError(`you cannot rollback a paused Process; resume it first with 'pmk rollout resume ${ref.name}' and try again`)
      }
      const revision = chosenRevision(await revisionsOf(client, ref, ctx.signal), wanted, name)
      const spec = undoPatch(process, revision)
      if (Object.keys(spec).length === 0) {
        return `${name} skipped rollback (current template already matches revision ${revision.revision})`
      }
      if (dryRun !== 'client') {
        // What is written back follows from what was read: somebody else's change in between is not to be mixed with it.
        const value = { metadata: { resourceVersion: process.metadata.resourceVersion }, spec }
        const write = { fieldManager: 'pmk-rollout', dryRun: dryRun === 'server', signal: ctx.signal }
        await client.for('Process').patch(ref, { type: 'merge', value }, write)
      }
      return `${name} rolled back to revision ${revision.revision}${DRY_RUN_NOTES[dryRun]}`
    })
  },
})

/** `revisions`: oldest first. `wanted` 0 is the one before the newest. */
export function chosenRevision(revisions: readonly Revision[], wanted: number, name: string): Revision {
  if (wanted > 0) {
    const found = revisions.find(({ revision }) => revision === wanted)
    if (found !== undefined) return found
    const there = revisions.map(({ revision }) => revision).join(', ')
    throw new CliError(`unable to find revision ${wanted} of ${name}: there is ${there === '' ? 'none' : there}`)
  }
  const before = revisions.at(-2)
  if (before === undefined) throw new CliError(`no earlier revision of ${name} is kept: there is nothing to go back to`)
  return before
}

/** The merge patch of spec that makes the launch fields of a Process those of a Revision: what that leaves out is removed. Pure. */
export function undoPatch(process: Process, { spec }: Revision): JsonObject {
  const template = isJsonObject(spec.template) ? spec.template : {}
  return mergePatchBetween(launchFieldsOf(process.spec, { withoutDefaults: true }), template)
}
