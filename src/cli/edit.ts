import type { ApiObject } from '../api/object.ts'
import { applyMergePatch } from '../api/patch.ts'
import { findDefinition } from '../api/scheme.ts'
import { ApiError, hasReason } from '../api/status.ts'
import { isJsonObject, type JsonObject, jsonEqual } from '../base/json.ts'
import { parseYaml, stringifyYaml, YamlError } from '../base/yaml.ts'
import type { ResourceClient } from '../client/client.ts'
import { findChanges } from '../manifest/changes.ts'
import { valueAt } from '../manifest/field-path.ts'
import { CliError } from './cli-error.ts'
import { fieldManagerFlag, fileFlags } from './common-flags.ts'
import { type EditedFile, openEditedFile } from './editor.ts'
import { describeError } from './errors.ts'
import { mergePatchBetween } from './merge-patch.ts'
import { printedName, resourceOf } from './resources.ts'
import { chooseTargets, type Target } from './targets.ts'
import { type Context, defineVerb, type Verb } from './verb.ts'

const HEADER = [
  '# Edit the object below; lines that begin with # are ignored, and an empty file aborts the edit.',
  '# When something is wrong, this file is opened again with the reason.',
]

export const verb: Verb = defineVerb({
  usage: 'edit KIND NAME | KIND/NAME | -f FILE [flags]',
  description: 'Opens an object in $PMK_EDITOR, $KUBE_EDITOR, $VISUAL or $EDITOR, else vi, and stores what was saved.',
  examples: ['pmk edit process web', 'EDITOR=nano pmk edit process/web'],
  flags: { ...fileFlags, ...fieldManagerFlag('pmk-edit') },
  async run({ ctx, args, flags }) {
    const targets = await chooseTargets(ctx, { args, files: flags.filename, recursive: flags.recursive })
    const { client } = await ctx.connect()
    let failed = false
    for (const target of targets) {
      const file = await openEditedFile(ctx.io, target.ref.name)
      const done = await editOne(ctx, target, {
        resource: resourceOf(client, target.definition),
        file,
        fieldManager: flags['field-manager'],
      })
      if (!done) failed = true
    }
    return failed ? 1 : 0
  },
})

interface Editing {
  readonly resource: ResourceClient<ApiObject>
  readonly file: EditedFile
  readonly fieldManager: string
}

/** What the user is shown, and why again. */
interface Round {
  /** The object that the text comes from. */
  readonly base: ApiObject
  readonly text: string
  readonly reason?: string
  /** Whether saving the text as it is means to go on. */
  readonly asItIs?: true
}

/** False when the edit was given up with something wrong; its text is kept then. */
async function editOne(ctx: Context, { definition, ref }: Target, { resource, file, fieldManager }: Editing): Promise<boolean> {
  const base = await resource.get(ref, { signal: ctx.signal })
  let round: Round = { base, text: stringifyYaml(editable(base)) }
  for (;;) {
    const saved = withoutComments(await file.edit(shown(round)))
    const same = saved === round.text && round.asItIs !== true
    if (saved.trim() === '' || (same && round.reason === undefined)) {
      await file.remove()
      ctx.io.warn('Edit cancelled, no changes made.\n')
      return true
    }
    if (same) {
      ctx.io.warn(`${round.reason}\nNothing was stored; the edited text is in ${file.path}\n`)
      return false
    }
    try {
      const edited = parseEdited(saved, round.base)
      const current = await resource.get(ref, { signal: ctx.signal })
      const clash = clashOf(round.base, current, edited)
      if (clash !== undefined) {
        round = clash
        continue
      }
      const value = mergePatchBetween(editable(round.base), edited)
      const version = { metadata: { ...(value.metadata as object | undefined), resourceVersion: current.metadata.resourceVersion } }
      if (Object.keys(value).length > 0) {
        await resource.patch(
          ref,
          { type: 'merge', value: { ...value, ...version } },
          { fieldManager, fieldValidation: 'Strict', signal: ctx.signal },
        )
      }
      await file.remove()
      ctx.io.write(`${printedName(definition, ref.name)} ${Object.keys(value).length > 0 ? 'edited' : 'unchanged'}\n`)
      return true
    } catch (err) {
      if (ctx.signal.aborted || !(err instanceof ApiError || err instanceof CliError)) throw err
      // Somebody wrote between our look and our write: the next round sees what.
      const again = hasReason(err, 'Conflict')
      round = { base: round.base, text: saved, reason: describeError(err), ...(again && { asItIs: true }) }
    }
  }
}

function shown({ text, reason }: Round): string {
  const lines = reason === undefined ? [] : ['#', ...reason.split('\n').map((line) => `# ${line}`)]
  return `${[...HEADER, ...lines, '#'].join('\n')}\n${text}`
}

/** The next round when somebody else changed a field that was edited, too: the edit on top of what is there now. */
function clashOf(base: ApiObject, current: ApiObject, edited: JsonObject): Round | undefined {
  const before = editable(base)
  const now = editable(current)
  const theirs = findChanges(before, now)
  const clashes = theirs.filter(({ path }) =>
    findChanges(before, edited).some(({ path: mine }) => path.every((step, at) => mine[at] === undefined || mine[at] === step)),
  )
  const open = clashes.filter(({ to, path }) => !jsonEqual(to, valueAt(edited, path)))
  if (open.length === 0) return undefined
  const values = open.map(({ field, to }) => `* ${field}: ${to === undefined ? 'removed' : JSON.stringify(to)}`)
  const reason = [
    'somebody else changed the same fields meanwhile; save this file to overwrite them, or take over their values:',
    ...values,
  ].join('\n')
  const text = stringifyYaml(applyMergePatch(now, mergePatchBetween(before, edited)))
  return { base: current, text, reason, asItIs: true }
}

/** Without what only the server writes. The resourceVersion stays out, too: the patch holds only what was changed. */
function editable(object: ApiObject): JsonObject {
  const {
    managedFields: _,
    uid: _uid,
    resourceVersion: _version,
    generation: _generation,
    creationTimestamp: _created,
    ...metadata
  } = object.metadata
  const { status: _status, ...rest } = object as ApiObject & { readonly status?: unknown }
  return { ...rest, metadata }
}

function parseEdited(text: string, base: ApiObject): JsonObject {
  const value = decode(text)
  if (!isJsonObject(value) || !isJsonObject(value.metadata)) throw new CliError('the text is no object any more')
  const same = value.apiVersion === base.apiVersion && value.kind === base.kind && value.metadata.name === base.metadata.name
  if (!same || value.metadata.namespace !== base.metadata.namespace || findDefinition(base.apiVersion, base.kind) === undefined) {
    throw new CliError('apiVersion, kind, metadata.name and metadata.namespace cannot be changed')
  }
  return value
}

function decode(text: string): unknown {
  try {
    const [document] = parseYaml(text)
    const [duplicate] = document?.duplicates ?? []
    if (duplicate !== undefined) throw new CliError(`line ${duplicate.position.line}: ${duplicate.path} stands here a second time`)
    return document?.value
  } catch (err) {
    if (!(err instanceof YamlError)) throw err
    throw new CliError(`invalid YAML in line ${err.position.line}, column ${err.position.column}: ${err.message}`, { cause: err })
  }
}

function withoutComments(text: string): string {
  return text
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
}
