import { accessSync, constants } from 'node:fs'

/** Whether this process may execute a file. */
export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    // Whatever the reason, it can't be used.
    return false
  }
}
