import type { Kind } from '../api/object.ts'
import { keptDefinitions } from '../api/scheme.ts'
import { nextTurn } from '../base/turn.ts'
import { type Placed, placeManifests } from '../manifest/apply.ts'
import { type Manifest, ManifestError, type Problem } from '../manifest/manifest.ts'
import { parseManifests } from '../manifest/parse.ts'
import { idOf, nameOf } from './inventory.ts'
import type { Snapshot, SourceFile } from './snapshot.ts'
import { type Substitute, substitution } from './substitute.ts'

/** Kinds that pmk makes itself, and what to write instead. */
const NOT_YOURS: { readonly [K in Kind]?: string } = {
  Instance: 'Instances are made from a Process; write that',
  Revision: 'Revisions are made from a Process; write that',
  Event: 'Events are what happened; nobody keeps them applied',
  Node: 'a Node is written by its agent',
}

export interface Documents {
  readonly placed: readonly Placed[]
  /** Of files and of objects in them; what they are about isn't in `placed`. */
  readonly problems: readonly Problem[]
}

interface Parsed {
  readonly text: string
  readonly variables: string
  readonly manifests: readonly Manifest[] | ManifestError
}

/** Turns files into objects. What is as before is not parsed again, and gives the same objects. */
export class DocumentReader {
  #parsed: ReadonlyMap<string, Parsed> = new Map()
  #last: { readonly key: string; readonly documents: Documents } | undefined

  /** `variables`: undefined leaves the texts as they are. The very same Documents when nothing has changed. */
  async read(
    snapshot: Snapshot,
    options: { readonly namespace: string; readonly variables: Substitute | undefined; readonly signal: AbortSignal },
  ): Promise<Documents> {
    const key = JSON.stringify([snapshot.revision, options.namespace, options.variables?.digest])
    if (this.#last?.key !== key) this.#last = { key, documents: await this.#read(snapshot, options) }
    return this.#last.documents
  }

  async #read(
    snapshot: Snapshot,
    options: { readonly namespace: string; readonly variables: Substitute | undefined; readonly signal: AbortSignal },
  ): Promise<Documents> {
    const problems: Problem[] = [...snapshot.problems]
    const manifests: Manifest[] = []
    const known = new Map<string, Parsed>()
    for (const file of snapshot.files) {
      const before = this.#parsed.get(file.path)
      const parsed = this.#parse(file, options.variables)
      known.set(file.path, parsed)
      if (parsed.manifests instanceof ManifestError) problems.push(...parsed.manifests.problems)
      else for (const manifest of parsed.manifests) manifests.push(manifest)
      if (parsed !== before) await nextTurn()
      options.signal.throwIfAborted()
    }
    this.#parsed = known
    const ours = manifests.filter(({ definition, origin: { file, line } }) => {
      const message = keptDefinitions.includes(definition)
        ? NOT_YOURS[definition.kind]
        : `a ${definition.kind} is not stored; it can only be asked for`
      if (message !== undefined) problems.push({ file, line, message })
      return message === undefined
    })
    return withoutDoubles(placeManifests(ours, { namespace: options.namespace, only: false }), problems)
  }

  #parse(file: SourceFile, variables: Substitute | undefined): Parsed {
    const known = this.#parsed.get(file.path)
    const digest = variables?.digest ?? ''
    if (known?.variables === digest && known.text === file.text) return known
    return { text: file.text, variables: digest, manifests: parse(file, variables) }
  }
}

function parse({ path, text }: SourceFile, variables: Substitute | undefined): readonly Manifest[] | ManifestError {
  // A variable that is missing may be why something else is wrong, too.
  let missing: Problem[] = []
  const read = (): readonly Manifest[] => {
    missing = []
    return parseManifests(path, text, variables && substitution(path, variables, missing))
  }
  try {
    const manifests = read()
    return missing.length > 0 ? new ManifestError(missing) : withoutPositions(manifests, read)
  } catch (err) {
    if (!(err instanceof ManifestError)) throw err
    return missing.length > 0 ? new ManifestError(missing) : err
  }
}

/**
 * What a parser knows of where each field stands takes many times the memory of the text, and is asked for only when something
 * is wrong: then the text is read again.
 */
function withoutPositions(manifests: readonly Manifest[], read: () => readonly Manifest[]): readonly Manifest[] {
  let known = new WeakRef(manifests)
  const again = (): readonly Manifest[] => {
    const still = known.deref()
    if (still !== undefined) return still
    const anew = read()
    known = new WeakRef(anew)
    return anew
  }
  return manifests.map((manifest, index) => {
    const { file, line } = manifest.origin
    return { ...manifest, origin: { file, line, lineOf: (field) => again()[index]?.origin.lineOf(field) ?? line } }
  })
}

/** Of objects that are described twice neither counts: nobody knows which is meant. */
function withoutDoubles(placed: readonly Placed[], problems: readonly Problem[]): Documents {
  const first = new Map<string, Placed>()
  const doubled = new Map<string, Problem>()
  for (const one of placed) {
    const id = idOf(one)
    const other = first.get(id)
    if (other === undefined) first.set(id, one)
    else {
      const { file, line } = one.manifest.origin
      const where = `${other.manifest.origin.file}:${other.manifest.origin.line}`
      doubled.set(id, { file, line, message: `${nameOf(id)} is also in ${where}; keep one` })
    }
  }
  if (doubled.size === 0) return { placed, problems }
  return { placed: placed.filter((one) => !doubled.has(idOf(one))), problems: [...problems, ...doubled.values()] }
}
