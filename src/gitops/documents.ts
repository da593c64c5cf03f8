import type { Kind } from '../api/object.ts'
import { nextTurn } from '../base/turn.ts'
import { type Placed, placeManifests } from '../manifest/apply.ts'
import { findDoubles } from '../manifest/load.ts'
import { type Manifest, ManifestError, type Problem } from '../manifest/manifest.ts'
import { parseManifests } from '../manifest/parse.ts'
import type { Snapshot, SourceFile } from './snapshot.ts'
import { type Substitute, substitute } from './substitute.ts'

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

/** Turns files into objects. Files that are the same object as before are not parsed again. */
export class DocumentReader {
  readonly #parsed = new WeakMap<SourceFile, { readonly variables: string; readonly manifests: readonly Manifest[] | ManifestError }>()

  /** `variables`: undefined leaves the texts as they are. */
  async read(
    snapshot: Snapshot,
    options: { readonly namespace: string; readonly variables: Substitute | undefined; readonly signal: AbortSignal },
  ): Promise<Documents> {
    const problems: Problem[] = [...snapshot.problems]
    const manifests: Manifest[] = []
    for (const file of snapshot.files) {
      const { parsed, isNew } = this.#parse(file, options.variables)
      if (parsed instanceof ManifestError) problems.push(...parsed.problems)
      else manifests.push(...parsed)
      if (isNew) await nextTurn()
      options.signal.throwIfAborted()
    }
    const ours = manifests.filter(({ definition, origin: { file, line } }) => {
      const message = NOT_YOURS[definition.kind]
      if (message !== undefined) problems.push({ file, line, message })
      return message === undefined
    })
    const placed = placeManifests(ours, { namespace: options.namespace, only: false })
    return { placed, problems: [...problems, ...findDoubles(placed.map(settled))] }
  }

  #parse(
    file: SourceFile,
    variables: Substitute | undefined,
  ): { readonly parsed: readonly Manifest[] | ManifestError; readonly isNew: boolean } {
    const known = this.#parsed.get(file)
    const digest = variables?.digest ?? ''
    if (known?.variables === digest) return { parsed: known.manifests, isNew: false }
    const parsed = parse(file, variables)
    this.#parsed.set(file, { variables: digest, manifests: parsed })
    return { parsed, isNew: true }
  }
}

function parse({ path, text }: SourceFile, variables: Substitute | undefined): readonly Manifest[] | ManifestError {
  try {
    return parseManifests(path, variables === undefined ? text : substitute(path, text, variables))
  } catch (err) {
    if (!(err instanceof ManifestError)) throw err
    return err
  }
}

/** With the namespace that it gets: `web` and `default/web` may be the same. */
function settled({ manifest, ref }: Placed): Manifest {
  return { ...manifest, namespace: ref.namespace }
}
