import { MemoryStore } from '../../src/storage/memory-store.ts'
import { describeStore } from './store.ts'

describeStore('MemoryStore', async (clock) => {
  const store = new MemoryStore({ clock })
  return { store, dispose: () => store.close() }
})
