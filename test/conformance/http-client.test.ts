import { systemClock } from '../../src/base/clock.ts'
import { createHttpClient } from '../../src/client/http-client.ts'
import { TestApiServer } from '../support/api-server.ts'
import { describeClient } from './client.ts'

describeClient('HttpClient', async () => {
  const server = await TestApiServer.start()
  const client = createHttpClient({ socketPath: server.socketPath }, { fieldManager: 'conformance', clock: systemClock })
  return {
    client,
    async dispose() {
      await client.close()
      await server.stop()
    },
  }
})
