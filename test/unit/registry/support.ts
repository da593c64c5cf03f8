import type { Client } from '../../../src/client/client.ts'
import { createLocalClient } from '../../../src/registry/local-client.ts'
import { admitAll, type Registry, type WriteContext } from '../../../src/registry/registry.ts'
import { createRegistry } from '../../../src/registry/resource-registry.ts'
import { MemoryStore } from '../../../src/storage/memory-store.ts'
import { FakeClock } from '../../support/fake-clock.ts'

export interface TestedRegistry {
  readonly clock: FakeClock
  readonly store: MemoryStore
  readonly registry: Registry
  /** With the field manager `test`. */
  readonly client: Client
}

/** A registry over a store in memory, with a clock that stands still. */
export async function testRegistry(): Promise<TestedRegistry> {
  const clock = new FakeClock()
  const store = new MemoryStore({ clock })
  const registry = await createRegistry({ store, clock })
  return { clock, store, registry, client: createLocalClient(registry, { fieldManager: 'test' }) }
}

export const context: WriteContext = {
  user: { name: 'tester', groups: [] },
  fieldManager: 'test',
  dryRun: false,
  fieldValidation: 'Strict',
  warn: () => {},
  admit: admitAll,
}
