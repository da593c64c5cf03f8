import type { Process } from '../../src/generated/types.ts'

/** A field that is checked, and its value as JSON. */
export type Fields = Readonly<Record<string, unknown>>

/**
 * What may be stored of one Process, as far as answers tell: of each field the value of the last acknowledged write, and those of
 * writes after it of which no answer came. Writes of one Process are sent one after another.
 */
export class Wanted {
  readonly #present = new Set<boolean>([false])
  readonly #fields = new Map<string, Set<string>>()
  #leaving = false

  /** Whether it exists, as far as that is known. */
  get present(): boolean | undefined {
    return this.#present.size === 1 && !this.#leaving ? this.#present.has(true) : undefined
  }

  /** A field of which nothing is known yet stays so until a write of it is acknowledged. To be called before a write is sent; the answer is to be told afterwards. */
  sending(change: { readonly present?: boolean; readonly fields?: Fields }): void {
    if (change.present !== undefined) this.#present.add(change.present)
    for (const [name, value] of Object.entries(change.fields ?? {})) {
      this.#fields.get(name)?.add(JSON.stringify(value))
    }
  }

  acknowledged(change: { readonly present?: boolean; readonly fields?: Fields }): void {
    if (change.present !== undefined) this.found(change.present)
    for (const [name, value] of Object.entries(change.fields ?? {})) this.#fields.set(name, new Set([JSON.stringify(value)]))
  }

  /** Its deletion was acknowledged: it is there until all that it ran has been stopped. */
  leaving(): void {
    this.found(false)
    this.#leaving = true
  }

  /** Something else writes this field, too. */
  forget(name: string): void {
    this.#fields.delete(name)
  }

  /** It was looked up. */
  found(present: boolean): void {
    this.#leaving = false
    this.#present.clear()
    this.#present.add(present)
    if (!present) this.#fields.clear()
  }

  /** What is wrong with what is stored; from now on what is stored counts. */
  reconcile(stored: Process | undefined): readonly string[] {
    const wrong: string[] = []
    const present = stored !== undefined && stored.metadata.deletionTimestamp === undefined
    if (!this.#present.has(present))
      wrong.push(present ? 'it is there although its deletion was acknowledged' : 'it is gone although nobody deleted it')
    if (present) {
      for (const [name, allowed] of this.#fields) {
        const value = JSON.stringify(fieldOf(stored, name))
        if (!allowed.has(value)) wrong.push(`${name} is ${value}, but only ${[...allowed].join(' or ')} was written`)
        this.#fields.set(name, new Set([value]))
      }
    }
    if (present) this.found(true)
    return wrong
  }
}

function fieldOf(process: Process, name: string): unknown {
  if (name === 'mark') return process.metadata.annotations?.[MARK]
  return process.spec[name as keyof Process['spec']]
}

/** The annotation that says which write of the harness was the last one. spec.description says it again. */
export const MARK = 'torture/write'
