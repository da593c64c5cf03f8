import { basename, join } from 'node:path'
import { hasReason } from '../api/status.ts'
import type { Client } from '../client/client.ts'
import type { ManifestSource, Process } from '../generated/types.ts'
import { type Desired, desiredOf } from '../gitops/desired.ts'
import type { DirectoryOrigin } from '../gitops/directory-origin.ts'
import { DocumentReader, type Documents } from '../gitops/documents.ts'
import { healthOf } from '../gitops/health.ts'
import { isListed, nameOf, parseInventoryId } from '../gitops/inventory.ts'
import { labelledObjects } from '../gitops/labelled.ts'
import { isSameSource, refOf, type SourceRef } from '../gitops/ownership.ts'
import { type PassOutcome, runPass } from '../gitops/pass.ts'
import { previewPass } from '../gitops/preview.ts'
import { Verified } from '../gitops/verified.ts'
import { fieldManagerOf } from '../gitops/well-known.ts'
import { formatProblem, type Problem } from '../manifest/manifest.ts'
import { CliError } from './cli-error.ts'
import { concurrently, PARALLEL_REQUESTS } from './concurrently.ts'
import { confirmRemoval } from './confirm.ts'
import { DRY_RUN_NOTES } from './dry-run.ts'
import { printedName } from './resources.ts'
import { printable } from './table.ts'
import type { Context } from './verb.ts'
import { watchUntil } from './watch-until.ts'

export interface PassOptions {
  /** As it was given: what messages name. */
  readonly directory: string
  readonly source: SourceRef
  readonly prune: boolean
  readonly confirmPrune: boolean
  readonly yes: boolean
  readonly partial: boolean
  readonly dryRun: boolean
  readonly wait: boolean
  /** Only the names of what was applied. */
  readonly namesOnly: boolean
}

/** A snapshot, or the directory when it holds none. */
export type Content = Extract<Awaited<ReturnType<DirectoryOrigin['fetch']>>, { readonly type: 'snapshot' | 'failed' }>

/** Passes of the command line over one directory. What is as it was left isn't asked for again. */
export class DirectorySync {
  readonly #ctx: Context
  readonly #client: Client
  readonly #options: PassOptions
  readonly #reader = new DocumentReader()
  readonly #verified = new Verified()
  #isFirst = true

  constructor(ctx: Context, client: Client, options: PassOptions) {
    this.#ctx = ctx
    this.#client = client
    this.#options = options
  }

  /** One pass; prints a line for each object. Throws CliError when not all could be applied, or isn't healthy. */
  async run(content: Content, signal: AbortSignal): Promise<void> {
    const { source, dryRun, wait, partial, prune } = this.#options
    const documents = await this.#read(content, signal)
    if (documents.problems.length > 0 && !partial) throw this.#failure(documents.problems, 'Nothing was changed.')
    const desired = desiredOf(documents.placed, source)
    const [others, inventory] = await Promise.all([this.#others(signal), prune ? labelledObjects(this.#client, source, signal) : []])
    const keeps = keeperIn(others, source)
    const isWhole = documents.problems.length === 0
    if (dryRun) {
      const preview = await previewPass({ client: this.#client, source, desired, keeps, inventory, isWhole, prune, signal })
      for (const { placed, before, fields } of preview.diffs) {
        const outcome = before === undefined ? 'created' : fields.length > 0 ? 'configured' : 'unchanged'
        this.#tell(printedName(placed.manifest.definition, placed.ref.name), outcome)
      }
      for (const id of preview.pruned) this.#tell(printedId(id), 'pruned')
      this.#warn(preview.notes)
      const problems = [...documents.problems, ...preview.problems]
      if (problems.length > 0) throw this.#failure(problems, '')
      return
    }
    if (isWhole && desired.length === 0 && inventory.length > 0) await this.#confirm(inventory)
    const outcome = await runPass({
      client: this.#client,
      source,
      desired,
      // Nothing is remembered of what others do meanwhile: all is asked of the server.
      cached: () => undefined,
      keeps,
      sourceOfManager: (manager) => others?.map(refOf).find((other) => fieldManagerOf(other) === manager),
      inventory,
      isWhole,
      prune,
      partial,
      isRepeated: false,
      restore: true,
      verified: this.#verified,
      onWrites: async () => {},
      signal,
    })
    this.#print(desired, outcome)
    this.#isFirst = false
    const problems = [...documents.problems, ...outcome.problems]
    if (problems.length > 0) throw this.#failure(problems, outcome.applied.length === 0 ? 'Nothing was changed.' : '')
    if (outcome.going.length > 0) throw new CliError(`${outcome.going.map(nameOf).join(', ')}: being deleted; try again when that is done`)
    if (wait) await this.#waitForHealth(desired, signal)
  }

  async #read(content: Content, signal: AbortSignal): Promise<Documents> {
    const { prune, source } = this.#options
    if (content.type === 'snapshot') {
      this.#warn(content.snapshot.notes)
      return await this.#reader.read(content.snapshot, { namespace: source.namespace, variables: undefined, signal })
    }
    if (content.reason !== 'NoManifests' || !prune) throw new CliError(content.message)
    return { placed: [], problems: [] }
  }

  /** All other sources; undefined for who may not see them. */
  async #others(signal: AbortSignal): Promise<readonly ManifestSource[] | undefined> {
    const { source, prune } = this.#options
    try {
      const { items } = await this.#client.for('ManifestSource').list({ signal })
      if (items.some((other) => isSameSource(refOf(other), source))) throw followedByItself(source)
      return items
    } catch (err) {
      if (!hasReason(err, 'Forbidden') || prune) throw err
      return undefined
    }
  }

  async #confirm(inventory: readonly string[]): Promise<void> {
    const { directory, confirmPrune, yes, source } = this.#options
    const what = `${inventory.length} object${inventory.length === 1 ? '' : 's'} of source ${source.name}`
    if (!confirmPrune)
      throw new CliError(
        `${directory} holds no manifests, so ${what} would be removed; nothing was. If that is meant: pmk sync ${directory} --prune --confirm-prune`,
      )
    await confirmRemoval(this.#ctx, what, inventory.map(nameOf), yes)
  }

  #print(desired: readonly Desired[], { applied, pruned, notes, problems, going }: PassOutcome): void {
    const byId = new Map(applied.map((each) => [each.id, each]))
    const isRefused = problems.length > 0
    for (const { id, placed } of desired) {
      const written = byId.get(id)
      const outcome = written?.outcome ?? (isRefused || going.includes(id) ? undefined : 'unchanged')
      // Later passes of --watch tell what is new only.
      if (outcome === undefined || (outcome === 'unchanged' && !this.#isFirst)) continue
      const name = printedName(placed.manifest.definition, placed.ref.name)
      this.#warn((written?.takenBack ?? []).map(({ manager, fields }) => `${name}: took ${fields.join(', ')} back from ${manager}`))
      this.#tell(name, outcome)
    }
    for (const id of pruned) this.#tell(printedId(id), 'pruned')
    this.#warn(notes)
  }

  #tell(name: string, word: string): void {
    const { io } = this.#ctx
    const { dryRun, namesOnly } = this.#options
    const text = `${word}${DRY_RUN_NOTES[dryRun ? 'server' : 'none']}`
    const shown = io.colour && word !== 'unchanged' ? `\u001b[${word === 'pruned' ? 31 : 32}m${text}\u001b[0m` : text
    if (!namesOnly) io.write(`${name} ${shown}\n`)
    else if (word !== 'pruned') io.write(`${name}\n`)
  }

  #warn(texts: readonly string[]): void {
    for (const text of texts) this.#ctx.io.warn(`Warning: ${printable(text)}\n`)
  }

  #failure(problems: readonly Problem[], end: string): CliError {
    const { directory } = this.#options
    const lines = problems.map((problem) => `error: ${printable(formatProblem({ ...problem, file: join(directory, problem.file) }))}`)
    return new CliError([...lines, ...(end === '' ? [] : [end])].join('\n'), { plain: true })
  }

  async #waitForHealth(desired: readonly Desired[], signal: AbortSignal): Promise<void> {
    const { io } = this.#ctx
    const processes = desired.filter(({ placed }) => placed.manifest.definition.kind === 'Process')
    const failures = await concurrently(processes, PARALLEL_REQUESTS, async ({ placed: { ref } }) => {
      let told = ''
      const process = await watchUntil(this.#client.for('Process'), ref, signal, (object) => {
        if (object === undefined) return true
        const health = healthOf(object)
        if (health.state !== 'waiting') return true
        if (io.outputIsTerminal && health.message !== told) io.warn(`${printable(health.message)}\n`)
        told = health.message
        return false
      })
      return failedHealth(process, ref.name)
    })
    const lines = failures.filter((failure) => failure !== undefined)
    if (lines.length > 0) throw new CliError(lines.map((line) => `error: ${line}`).join('\n'), { plain: true })
  }
}

function failedHealth(process: Process | undefined, name: string): string | undefined {
  if (process === undefined) return `Process ${name} was deleted meanwhile`
  const health = healthOf(process)
  return health.state === 'failed' ? `${printable(health.message)}. 'pmk why ${name}' tells more` : undefined
}

/** Who may not see the other sources takes nothing from any. */
function keeperIn(others: readonly ManifestSource[] | undefined, own: SourceRef): (other: SourceRef, id: string) => boolean {
  if (others === undefined) return (other) => !isSameSource(other, own)
  return (owner, id) => isListed(others.find((other) => isSameSource(refOf(other), owner))?.status?.inventory, id)
}

function followedByItself({ namespace, name }: SourceRef): CliError {
  return new CliError(
    `ManifestSource ${namespace}/${name} keeps objects of that name applied: have it do so now with pmk sync source/${name}, or give this directory another name with --name`,
  )
}

function printedId(id: string): string {
  const parsed = parseInventoryId(id)
  return parsed === undefined ? basename(id) : printedName(parsed.definition, parsed.ref.name)
}
