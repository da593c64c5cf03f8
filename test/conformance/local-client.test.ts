import { systemClock } from '../../src/base/clock.ts'
import { createLocalClient } from '../../src/registry/local-client.ts'
import { createRegistry } from '../../src/registry/resource-registry.ts'
import { openLevelStore } from '../../src/storage/level-store.ts'
import { MemoryStore } from '../../src/storage/memory-store.ts'
import { tempDir } from '../support/temp-dir.ts'
import { describeClient } from './client.ts'

const clock = systemClock

describeClient('LocalClient', async () => {
  const store = new MemoryStore({ clock })
  const registry = await createRegistry({ store, clock })
  return { client: createLocalClient(registry, { fieldManager: 'conformance' }), dispose: () => store.close() }
})

// Here a write is seen only once it is on disk, and others come in between.
describeClient('LocalClient over LevelDB', async () => {
  const { path, remove } = await tempDir()
  const store = await openLevelStore({ path, clock })
  const registry = await createRegistry({ store, clock })
  return {
    client: createLocalClient(registry, { fieldManager: 'conformance' }),
    dispose: async () => {
      await store.close()
      await remove()
    },
  }
})
