import type { ApiObject } from '../api/object.ts'
import { definitions, type ResourceDefinition } from '../api/scheme.ts'
import type { Timestamp } from '../base/clock.ts'
import { deepFreeze } from '../base/json.ts'
import type { Revision } from '../storage/store.ts'
import { customResourceDefinition, isCustom } from './custom-resource-definitions.ts'

/** Objects of one kind that the server knows by itself, sorted by name. They are the same as long as it runs. */
export interface FixedObjects {
  readonly objects: readonly ApiObject[]
  /** Their version. Of what was before it, at another server's time, nothing is known. */
  readonly since: Revision
}

export interface FixedKindsOptions {
  /** When the store was made. */
  readonly createdAt: () => Promise<Timestamp>
  /** The revision of the store when this server began. */
  readonly since: Revision
}

/** What is never stored: the kinds, as objects. Made when somebody asks for the first time. */
export class FixedKinds {
  readonly #options: FixedKindsOptions
  #definitions: Promise<FixedObjects> | undefined

  constructor(options: FixedKindsOptions) {
    this.#options = options
  }

  /** Undefined for a kind whose objects lie in the store. */
  of({ kind, group }: ResourceDefinition): Promise<FixedObjects> | undefined {
    if (kind !== 'CustomResourceDefinition' || group !== 'apiextensions.k8s.io') return undefined
    this.#definitions ??= this.#make().catch((err: unknown) => {
      this.#definitions = undefined
      throw err
    })
    return this.#definitions
  }

  async #make(): Promise<FixedObjects> {
    const { since } = this.#options
    const identity = { createdAt: await this.#options.createdAt(), resourceVersion: String(since) }
    const objects = definitions.filter(isCustom).map((definition) => deepFreeze(customResourceDefinition(definition, identity)))
    return { objects: objects.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1)), since }
  }
}
