import { setMaxListeners } from 'node:events'
import nodeProcess from 'node:process'
import { systemClock } from '../base/clock.ts'
import { Interrupted, runCli } from './cli.ts'
import { systemIo } from './io.ts'

/** Runs this process as the command line that it was started with. Resolves to the exit code, with all output written. */
export async function main(): Promise<number> {
  const controller = new AbortController()
  // A verb may have a request under way for each of a thousand objects; that is no leak.
  setMaxListeners(0, controller.signal)
  // The first signal asks the verb to end; the next one finds no listener and ends us at once.
  nodeProcess.once('SIGINT', () => controller.abort(new Interrupted(130)))
  nodeProcess.once('SIGTERM', () => controller.abort(new Interrupted(143)))
  nodeProcess.stdout.on('error', (err: NodeJS.ErrnoException) => {
    // The reader is gone (`pmk get … | head`): what SIGPIPE does to other programs.
    nodeProcess.exit(err.code === 'EPIPE' ? 141 : 1)
  })
  const exitCode = await runCli(nodeProcess.argv.slice(2), { io: systemIo(), clock: systemClock, signal: controller.signal })
  await new Promise<void>((resolve) => nodeProcess.stdout.write('', () => resolve()))
  return exitCode
}
