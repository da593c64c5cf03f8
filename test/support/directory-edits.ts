import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'

/** Numbers in [0, 1) that are the same for the same seed. */
export function numbersFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Edits a directory of ConfigMaps in every way in which files change, and can say what it holds. */
export class DirectoryEdits {
  /** The directory to be watched: a link to the real one, so that the way to it can change as well. */
  readonly watched: string
  readonly #base: string
  readonly #random: () => number
  #number = 0
  #version = 0

  constructor(base: string, seed: number) {
    this.#base = base
    this.#random = numbersFrom(seed)
    this.watched = join(base, 'current')
    for (const name of ['tree-1', 'outside', 'store']) mkdirSync(join(base, name), { recursive: true })
    symlinkSync('tree-1', this.watched)
    // So that it is never without any: that is another story.
    this.#write(join(this.watched, 'constant.yaml'), 'constant')
  }

  /** Does one thing, chosen by chance, and says what. */
  edit(): string {
    const [kind, deed] = this.#pick(Object.entries(this.#deeds)) ?? ['nothing', () => {}]
    deed()
    return kind
  }

  /** The ConfigMaps that the files describe now, by name. */
  expected(): Readonly<Record<string, string>> {
    const found: Record<string, string> = {}
    const walk = (directory: string): void => {
      for (const name of readdirSync(directory).sort()) {
        if (name.startsWith('.')) continue
        const path = join(directory, name)
        if (!existsSync(path)) continue
        if (statSync(path).isDirectory()) walk(path)
        else if (name.endsWith('.yaml'))
          for (const match of readFileSync(path, 'utf8').matchAll(/name: (\S+)\ndata:\n {2}v: "(\d+)"/g))
            found[match[1] ?? ''] = match[2] ?? ''
      }
    }
    walk(this.watched)
    return found
  }

  readonly #deeds = {
    create: () => this.#write(join(this.#directory(), `f${++this.#number}.yaml`), `f${this.#number}`),
    editInPlace: () => this.#onFile((path) => this.#rewrite(path)),
    append: () => this.#onFile((path) => appendFileSync(path, `---\n${this.#manifest(`f${++this.#number}`)}`)),
    renameOver: () =>
      this.#onFile((path) => {
        const next = join(this.#base, 'outside', 'next')
        writeFileSync(next, this.#manifest(nameIn(path)))
        renameSync(next, path)
      }),
    swapLink: () => {
      const target = join(this.#base, 'store', `t${++this.#version}`)
      const name = `l${Math.floor(this.#random() * 4)}`
      writeFileSync(target, this.#manifest(name))
      this.#link(target, join(this.watched, `${name}.yaml`))
    },
    swapDirectoryLink: () => {
      const target = join(this.#base, 'store', `d${++this.#version}`)
      mkdirSync(target)
      const name = `d${Math.floor(this.#random() * 2)}`
      for (let n = 0; n < 3; n++) if (this.#random() < 0.7) this.#write(join(target, `${name}-${n}.yaml`), `${name}-${n}`)
      this.#link(target, join(this.watched, name))
    },
    swapRoot: () => {
      const from = join(this.#base, `tree-${this.#tree}`)
      this.#tree += 1
      const to = join(this.#base, `tree-${this.#tree}`)
      renameSync(from, to)
      this.#link(`tree-${this.#tree}`, this.watched)
    },
    moveIn: () => {
      const name = `m${++this.#number}`
      const outside = join(this.#base, 'outside', name)
      mkdirSync(outside)
      this.#write(join(outside, 'a.yaml'), `${name}-a`)
      this.#write(join(outside, 'b.yaml'), `${name}-b`)
      renameSync(outside, join(this.watched, name))
    },
    moveOut: () => {
      const moved = readdirSync(this.watched).filter((name) => name.startsWith('m'))
      const name = this.#pick(moved)
      if (name !== undefined) renameSync(join(this.watched, name), join(this.#base, 'outside', `${name}-out-${++this.#version}`))
    },
    remove: () => this.#onFile((path) => unlinkSync(path)),
    changeMode: () => this.#onFile((path) => chmodSync(path, this.#random() < 0.5 ? 0o600 : 0o644)),
    leaveBackup: () =>
      this.#onFile((path) => {
        writeFileSync(`${path}~`, readFileSync(path))
        writeFileSync(join(this.watched, '.x.yaml.swp'), 'swap')
        writeFileSync(join(this.watched, '4913'), '')
        rmSync(join(this.watched, '4913'))
      }),
    /** As vim does: the old one aside, a new one in its place, the old one deleted. */
    asEditor: () =>
      this.#onFile((path) => {
        const name = nameIn(path)
        renameSync(path, `${path}~`)
        this.#write(path, name)
        unlinkSync(`${path}~`)
      }),
  }

  #tree = 1

  #onFile(deed: (path: string) => void): void {
    const name = this.#pick(readdirSync(this.watched).filter((file) => /^f\d+\.yaml$/.test(file)))
    if (name !== undefined) deed(join(this.watched, name))
  }

  #directory(): string {
    const inner = this.#pick(readdirSync(this.watched).filter((name) => name.startsWith('m')))
    return inner !== undefined && this.#random() < 0.3 ? join(this.watched, inner) : this.watched
  }

  /** All that the file describes, with new values. */
  #rewrite(path: string): void {
    const names = [...readFileSync(path, 'utf8').matchAll(/name: (\S+)/g)].map((match) => match[1] ?? '')
    writeFileSync(path, names.map((name) => this.#manifest(name)).join('---\n'))
  }

  #write(path: string, name: string): void {
    writeFileSync(path, this.#manifest(name))
  }

  #link(target: string, link: string): void {
    symlinkSync(target, `${link}.next`)
    renameSync(`${link}.next`, link)
  }

  #manifest(name: string): string {
    return `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\ndata:\n  v: "${++this.#version}"\n`
  }

  #pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.#random() * items.length)]
  }
}

function nameIn(path: string): string {
  return /name: (\S+)/.exec(readFileSync(path, 'utf8'))?.[1] ?? ''
}
