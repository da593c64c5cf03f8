import { readFile, stat } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { isJsonObject } from '../base/json.ts'
import { printable } from '../base/printable.ts'
import { parseYaml, YamlError } from '../base/yaml.ts'
import { KUSTOMIZATIONS } from './directory-walk.ts'

/** Kustomizations that one may name, themselves included; nobody writes more, and bases that name each other end here. */
const MOST = 1_000
/** In bytes; a kustomization is a page. */
const LARGEST = 1024 * 1024

/** Fields whose entries are files or directories with kustomizations of their own. */
const ROOTS: ReadonlySet<string> = new Set(['resources', 'bases', 'components', 'generators', 'transformers', 'validators'])
/** Of these, what files hold is configuration of kustomize, which may name files in turn. */
const CONFIGURED: ReadonlySet<string> = new Set(['generators', 'transformers', 'validators'])

/** Fields with text that is nobody's path. */
const FREE_TEXT: ReadonlySet<string> = new Set([
  'annotations',
  'commonAnnotations',
  'commonLabels',
  'labels',
  'literals',
  'patch',
  'newName',
  'newTag',
  'target',
  'vars',
])

const REMOTE =
  /^(?:git::|[a-z][a-z0-9+.-]*:\/\/|[a-z0-9_.-]+@[a-z0-9_.-]+:|(?:www\.)?(?:github\.com|gitlab\.com|bitbucket\.org)[:/])|[?&](?:ref|version)=/i

export type References = { readonly problem: string } | { readonly isAlone: boolean }

/**
 * What a kustomization names, and the ones it names. A problem when something is on another host, which must not be fetched because a
 * file says so, or lies outside of `within`. `isAlone`: all of it is below the directory. kustomize itself can't be told so.
 */
export async function referencesOf(directory: string, within?: string): Promise<References> {
  const found = new Finder(directory, within)
  try {
    await found.visit(directory)
  } catch (err) {
    if (err instanceof Refusal) return { problem: err.message }
    throw err
  }
  return { isAlone: found.isAlone }
}

class Refusal extends Error {}

class Finder {
  isAlone = true
  readonly #directory: string
  readonly #within: string | undefined
  readonly #seen = new Set<string>()

  constructor(directory: string, within: string | undefined) {
    this.#directory = directory
    this.#within = within
  }

  async visit(root: string): Promise<void> {
    if (this.#seen.has(root)) return
    this.#seen.add(root)
    if (this.#seen.size > MOST) throw new Refusal(`more than ${MOST} kustomizations name each other`)
    for (const name of KUSTOMIZATIONS) await this.#read(join(root, name), root, undefined)
  }

  /** `field`: of the kustomization that named the file; undefined for a kustomization itself. */
  async #read(file: string, root: string, field: string | undefined): Promise<void> {
    const stats = await stat(file).catch(() => undefined)
    if (stats === undefined || !stats.isFile()) return
    if (stats.size > LARGEST) throw new Refusal(`${this.#name(file)} has more than ${LARGEST} bytes`)
    // What can't be read is told of by kustomize.
    const text = await readFile(file, 'utf8').catch(() => '')
    await this.#scan(text, file, root, field)
  }

  async #scan(text: string, file: string, root: string, field: string | undefined): Promise<void> {
    try {
      for (const { value } of parseYaml(text)) await this.#look(value, { file, root, field, isTop: field === undefined })
    } catch (err) {
      if (!(err instanceof YamlError)) throw err
      throw new Refusal(`${this.#name(file)}:${err.position.line}: invalid YAML: ${err.message}`)
    }
  }

  async #look(value: unknown, place: Place): Promise<void> {
    if (typeof value === 'string') await this.#text(value, place)
    else if (Array.isArray(value)) for (const item of value) await this.#look(item, place)
    else if (isJsonObject(value))
      for (const [key, inner] of Object.entries(value))
        if (!FREE_TEXT.has(key)) await this.#look(inner, { ...place, field: place.isTop ? key : place.field, isTop: false })
  }

  async #text(text: string, { file, root, field = '' }: Place): Promise<void> {
    if (text.includes('\n')) {
      if (CONFIGURED.has(field)) await this.#scan(text, file, root, field)
      return
    }
    // Files of generators may be given as KEY=PATH.
    const path = text.replace(/^[^=/?]*=/, '')
    const full = resolve(root, path)
    const kind = await stat(full).catch(() => undefined)
    if (kind === undefined && REMOTE.test(path))
      throw new Refusal(`${this.#name(file)}: ${printable(path)} is on another host; nothing is fetched because a kustomization says so`)
    if (/(^|\/)\.\.(\/|$)|^\//.test(path)) {
      if (!isBelow(full, this.#directory)) this.isAlone = false
      if (this.#within !== undefined && !isBelow(full, this.#within))
        throw new Refusal(`${this.#name(file)}: ${printable(path)} lies outside of the repository`)
    }
    if (!ROOTS.has(field)) return
    if (kind?.isDirectory() === true) await this.visit(full)
    else if (CONFIGURED.has(field)) await this.#read(full, root, field)
  }

  #name(file: string): string {
    return printable(relative(this.#within ?? this.#directory, file))
  }
}

interface Place {
  readonly file: string
  readonly root: string
  readonly field: string | undefined
  readonly isTop: boolean
}

function isBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`)
}
