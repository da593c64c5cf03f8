import { readFileSync } from 'node:fs'
import nodeProcess from 'node:process'
import { hasReason } from '../api/status.ts'
import { type Clock, type Millis, sleep } from '../base/clock.ts'
import { startDetached } from '../base/command.ts'
import { createHttpClient } from '../client/http-client.ts'
import { type DataDir, prepareDataDir } from './data-dir.ts'
import { nodeFlags } from './node-flags.ts'
import { runningServer, type ServerRecord, startTimeOf } from './server-file.ts'
import { putFullLogAside, sizeOf } from './server-log.ts'

/** How often the state of a starting or ending server is looked at. */
const POLL: Millis = 20

export type ServerState =
  | { readonly state: 'stopped' }
  | { readonly state: 'starting'; readonly record: ServerRecord; readonly reason: string }
  /** Serves and supervises, but refuses writes. */
  | { readonly state: 'unwritable'; readonly record: ServerRecord; readonly reason: string }
  | { readonly state: 'ready'; readonly record: ServerRecord }

/** Whether a server runs on this directory, and whether it answers. */
export async function serverState(dir: DataDir, signal: AbortSignal): Promise<ServerState> {
  const record = runningServer(dir.serverFile)
  if (record === undefined) return { state: 'stopped' }
  const answer = await ask(dir, '/readyz', signal)
  if (answer === 'ok') return { state: 'ready', record }
  const reasonOf = (text: string): string => text.replace(/^not ready: /, '')
  if ((await ask(dir, '/readyz?exclude=store', signal)) !== 'ok') return { state: 'starting', record, reason: reasonOf(answer) }
  // It may have become ready between the questions.
  const store = await ask(dir, '/readyz/store', signal)
  return store === 'ok' ? { state: 'ready', record } : { state: 'unwritable', record, reason: reasonOf(store) }
}

/**
 * Starts a server in the background, apart from our terminal, and waits until it is ready. Throws a sentence for people with
 * the server's last words when it isn't to be. Nothing happens when one runs already.
 */
export async function startServer(
  dir: DataDir,
  options: {
    readonly args: readonly string[]
    readonly main: string
    readonly timeout: Millis
    readonly clock: Clock
    readonly signal: AbortSignal
  },
): Promise<{ readonly record: ServerRecord; readonly started: boolean; readonly warning?: string }> {
  const before = await serverState(dir, options.signal)
  if (before.state !== 'stopped') return { ...(await untilReady(dir, options)), started: false }

  prepareDataDir(dir)
  putFullLogAside(dir.serverLog)
  const logStart = sizeOf(dir.serverLog)
  const command = [
    nodeProcess.execPath,
    ...nodeFlags,
    ...nodeProcess.execArgv,
    options.main,
    'server',
    'run',
    '--data-dir',
    dir.path,
    ...options.args,
  ] as const
  // The working directory must not keep a file system busy that somebody wants to unmount.
  const server = await startDetached(command, { cwd: '/', outputFile: dir.serverLog, signal: options.signal })
  let ended: number | undefined
  void server.ended.then((code) => {
    ended = code
  })
  const ready = await untilReady(dir, options, () => {
    if (ended === undefined) return
    throw new Error(
      `The server ended with code ${ended} while it started. Its last words (${dir.serverLog}):\n${lastWords(dir.serverLog, logStart)}`,
    )
  })
  return { ...ready, started: true }
}

/** Asks the server to end and waits until it has. `drain` stops the processes first. False when none runs. */
export async function stopServer(
  dir: DataDir,
  options: { readonly drain: boolean; readonly timeout: Millis; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<boolean> {
  const record = runningServer(dir.serverFile)
  if (record === undefined) return false
  nodeProcess.kill(record.pid, options.drain ? 'SIGUSR2' : 'SIGTERM')
  const end = options.clock.monotonic() + options.timeout
  // Not by its file, which it clears before it lets go of the store.
  while (startTimeOf(record.pid) === record.startTime) {
    if (options.clock.monotonic() > end) {
      throw new Error(
        `The server (pid ${record.pid}) has not ended after ${options.timeout / 1_000} s; it may still be stopping processes. See ${dir.serverLog}.`,
      )
    }
    await sleep(options.clock, POLL, options.signal)
  }
  return true
}

async function untilReady(
  dir: DataDir,
  options: { readonly timeout: Millis; readonly clock: Clock; readonly signal: AbortSignal },
  check: () => void = () => {},
): Promise<{ readonly record: ServerRecord; readonly warning?: string }> {
  const end = options.clock.monotonic() + options.timeout
  for (;;) {
    const state = await serverState(dir, options.signal)
    if (state.state === 'ready') return { record: state.record }
    if (state.state === 'unwritable') return { record: state.record, warning: state.reason }
    check()
    if (options.clock.monotonic() > end) {
      const reason = state.state === 'starting' ? state.reason : 'it has not opened its socket'
      throw new Error(`The server is not ready after ${options.timeout / 1_000} s: ${reason}. See ${dir.serverLog}.`)
    }
    await sleep(options.clock, POLL, options.signal)
  }
}

/** Where the server listens with TLS, or why it doesn't although it should; undefined when it shouldn't. */
export async function tlsState(
  dir: DataDir,
  signal: AbortSignal,
): Promise<{ readonly server: string } | { readonly problem: string } | undefined> {
  const client = createHttpClient({ socketPath: dir.socket })
  try {
    const answer = await client.request({ method: 'GET', path: '/pmk/v1/tls', signal })
    return { server: ((await answer.json()) as { readonly server: string }).server }
  } catch (err) {
    if (signal.aborted) throw err
    // Also that of an older version, which knows of no TLS.
    return hasReason(err, 'NotFound') ? undefined : { problem: (err as Error).message }
  } finally {
    await client.close()
  }
}

/** `ok`, or why not. */
async function ask(dir: DataDir, path: string, signal: AbortSignal): Promise<string> {
  const client = createHttpClient({ socketPath: dir.socket })
  try {
    const answer = await client.request({ method: 'GET', path, signal })
    return (await answer.text()).trim()
  } catch (err) {
    if (signal.aborted) throw err
    return (err as Error).message
  } finally {
    await client.close()
  }
}

function lastWords(file: string, from: number): string {
  return readFileSync(file).subarray(from).toString().trim().split('\n').slice(-10).join('\n') || '(none)'
}
