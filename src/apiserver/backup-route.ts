import type { Route } from './route.ts'

/** Gives the state of the server as a backup file, chunk by chunk. */
export type Backup = () => Promise<AsyncIterable<Uint8Array>>

/** `GET /pmk/v1/backup`: all objects in one file, Secrets included: of the built-in roles only cluster-admin may get it. */
export function backupRoute(backup: Backup): Route {
  return {
    path: '/pmk/v1/backup',
    methods: {
      GET: async () => ({ contentType: 'application/gzip', chunks: await backup() }),
    },
    patient: true,
  }
}
