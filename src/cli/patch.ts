import { readFileSync } from 'node:fs'
import { parseYaml, YamlError } from '../base/yaml.ts'
import type { Patch, PatchOptions } from '../client/client.ts'
import { CliError } from './cli-error.ts'
import { dryRunFlag, fieldManagerFlag, fileFlags, outputFlag } from './common-flags.ts'
import { DRY_RUN_NOTES, dryRunOf } from './dry-run.ts'
import { parseOutput, printObjects } from './output.ts'
import { printedName, resourceOf } from './resources.ts'
import { chooseTargets } from './targets.ts'
import { defineVerb, type Verb } from './verb.ts'

export const verb: Verb = defineVerb({
  usage: 'patch KIND NAME | KIND/NAME | -f FILE -p PATCH [flags]',
  description:
    'Changes fields of an object: a merge patch (what is there replaces, null removes), a list of JSON patch operations, or a strategic merge patch (lists are merged by their keys).',
  examples: [
    `pmk patch process web -p '{"spec":{"replicas":3}}'`,
    `pmk patch process web --type=json -p '[{"op":"remove","path":"/spec/livenessProbe"}]'`,
  ],
  flags: {
    patch: { type: 'string', short: 'p', placeholder: 'PATCH', help: 'The patch, as JSON or YAML' },
    'patch-file': { type: 'string', placeholder: 'FILE', help: 'A file with the patch' },
    type: { type: 'string', placeholder: 'merge|json|strategic', default: 'merge', help: 'What sort of patch it is' },
    subresource: { type: 'string', placeholder: 'status|scale', help: 'Patch a part of the object with rights of its own' },
    ...fileFlags,
    ...dryRunFlag,
    ...outputFlag,
    ...fieldManagerFlag('pmk-patch'),
  },
  async run({ ctx, args, flags }) {
    const patch = parsePatch(flags)
    const dryRun = dryRunOf(flags['dry-run'])
    if (dryRun === 'client') throw new CliError('a patch can only be tried by the server: --dry-run=server')
    const subresource = subresourceOf(flags.subresource)
    const format = await parseOutput(flags.output)
    const targets = await chooseTargets(ctx, { args, files: flags.filename, recursive: flags.recursive })
    const { client } = await ctx.connect()
    const options = {
      fieldManager: flags['field-manager'],
      dryRun: dryRun === 'server',
      fieldValidation: 'Strict' as const,
      signal: ctx.signal,
      ...(subresource !== undefined && { subresource }),
    } satisfies PatchOptions
    for (const { definition, ref } of targets) {
      const resource = resourceOf(client, definition)
      const before = await resource.get(ref, { signal: ctx.signal })
      const after = await resource.patch(ref, patch, options)
      if (format.type !== 'table') {
        await printObjects(ctx.io, [after], format, { showManagedFields: flags['show-managed-fields'], list: false })
        continue
      }
      const changed = dryRun === 'server' || before.metadata.resourceVersion !== after.metadata.resourceVersion
      ctx.io.write(`${printedName(definition, ref.name)} patched${changed ? '' : ' (no change)'}${DRY_RUN_NOTES[dryRun]}\n`)
    }
    return 0
  },
})

function subresourceOf(text: string | undefined): 'status' | 'scale' | undefined {
  if (text === undefined || text === 'status' || text === 'scale') return text
  throw new CliError(`invalid subresource value: "${text}". Must be one of status, scale`)
}

function parsePatch(flags: {
  readonly patch: string | undefined
  readonly 'patch-file': string | undefined
  readonly type: string
}): Patch {
  if ((flags.patch === undefined) === (flags['patch-file'] === undefined)) {
    throw new CliError('must specify --patch or --patch-file, and not both', { usage: true })
  }
  const value = decodePatch(flags.patch ?? readPatchFile(flags['patch-file'] ?? ''))
  switch (flags.type) {
    case 'merge':
    case 'strategic':
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        throw new CliError(`a ${flags.type} patch must be an object; a list of operations needs --type=json`)
      }
      return { type: flags.type, value }
    case 'json':
      if (!Array.isArray(value)) throw new CliError('a JSON patch must be a list of operations; an object needs --type=merge')
      return { type: 'json', operations: value }
    default:
      throw new CliError(`--type must be one of merge, json, strategic, not "${flags.type}"`)
  }
}

function readPatchFile(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (err) {
    throw new CliError(`unable to read patch file: ${(err as Error).message}`, { cause: err })
  }
}

function decodePatch(text: string): unknown {
  try {
    return parseYaml(text)[0]?.value
  } catch (err) {
    if (!(err instanceof YamlError)) throw err
    throw new CliError(`unable to parse the patch: line ${err.position.line}, column ${err.position.column}: ${err.message}`, {
      cause: err,
    })
  }
}
