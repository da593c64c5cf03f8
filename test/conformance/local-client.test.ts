import { systemClock } from '../../src/base/clock.ts'
import { createLocalClient } from '../../src/registry/local-client.ts'
import { createRegistry } from '../../src/registry/resource-registry.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'
import { describeClient } from './client.ts'

describeClient('LocalClient', async () => {
  const store = new MemoryStore({ clock: systemClock })
  const registry = await createRegistry({ store, clock: systemClock })
  return { client: createLocalClient(registry, { fieldManager: 'conformance' }), dispose: () => store.close() }
})
