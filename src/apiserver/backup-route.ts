import { apiError } from '../api/status.ts'
import type { Route } from './route.ts'

/** Gives the state of the server as a backup file, chunk by chunk. */
export type Backup = () => Promise<AsyncIterable<Uint8Array>>

const ADMINISTRATORS = 'system:masters'

/** `GET /pmk/v1/backup`: all objects in one file, Secrets included, for administrators. */
export function backupRoute(backup: Backup): Route {
  return {
    path: '/pmk/v1/backup',
    methods: {
      GET: async ({ user }) => {
        if (user.groups.includes(ADMINISTRATORS)) return { contentType: 'application/gzip', chunks: await backup() }
        throw apiError('Forbidden', `User "${user.name}" cannot get path "/pmk/v1/backup": a backup holds all Secrets`)
      },
    },
    patient: true,
  }
}
