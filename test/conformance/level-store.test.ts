import { openLevelStore } from '../../src/storage/level-store.ts'
import { tempDir } from '../support/temp-dir.ts'
import { describeStore } from './store.ts'

describeStore('LevelStore', async (clock) => {
  const { path, remove } = await tempDir()
  let store = await openLevelStore({ path, clock })
  return {
    store,
    reopen: async () => {
      await store.close()
      store = await openLevelStore({ path, clock })
      return store
    },
    dispose: async () => {
      await store.close()
      await remove()
    },
  }
})
