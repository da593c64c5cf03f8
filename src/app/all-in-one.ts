import nodeProcess from 'node:process'
import { createAgent } from '../agent/agent.ts'
import { apiError } from '../api/status.ts'
import { LIMITS } from '../apiserver/limits.ts'
import { createApiServer } from '../apiserver/server.ts'
import { aborted, isAbort } from '../base/abort.ts'
import { systemClock } from '../base/clock.ts'
import { createLogger, type Logger } from '../base/log.ts'
import { readableLine } from '../base/log-line.ts'
import { version } from '../base/version.ts'
import { createControllers } from '../controllers/control-plane.ts'
import { LookTurns } from '../gitops/look-turns.ts'
import { createLocalClient } from '../registry/local-client.ts'
import { createRegistry } from '../registry/resource-registry.ts'
import { createPosixRuntime } from '../runtime/posix-runtime.ts'
import { backupOf } from '../storage/backup.ts'
import { openLevelStore } from '../storage/level-store.ts'
import { AuditLog } from './audit-log.ts'
import { type DataDir, dataDirAt, prepareDataDir } from './data-dir.ts'
import { diskShortage } from './disk-space.ts'
import { followDirectories } from './followed-directories.ts'
import { clearPreviews, gitOps, sourcePreviewer } from './gitops.ts'
import { refuseLostStore } from './lost-store.ts'
import { connectionsFor, openFilesLimit } from './open-files.ts'
import type { ServerOptions } from './options.ts'
import { clearServerRecord, writeServerRecord } from './server-file.ts'
import { TlsPort } from './tls-port.ts'

/** Asked of a running server by the signals it gets. */
export interface StopRequest {
  /** True: stop the processes first, in order. */
  readonly drain: boolean
}

/**
 * API server, controllers and node agent in one process. Runs until the signal; then closes the listeners, lets writes under
 * way finish and leaves the processes running, unless its reason is a StopRequest with `drain`, or the options say so: then
 * they are stopped first, until `giveUpDrain` fires.
 */
export async function runServer(options: ServerOptions, signal: AbortSignal, giveUpDrain: AbortSignal): Promise<void> {
  const dir = dataDirAt(options.dataDir)
  prepareDataDir(dir)
  const log = createLogger({
    level: options.logLevel,
    ...(options.readableLog ? { write: (line: string) => void nodeProcess.stderr.write(readableLine(line)) } : {}),
  })

  if (!options.newStore) refuseLostStore(dir)
  // The store's own lock is what keeps a second server off the directory: nothing else is touched before it is held.
  const store = await openLevelStore({ path: dir.db, clock: systemClock, log: log.child({ part: 'store' }) })
  try {
    await serve(options, dir, store, log, signal, giveUpDrain)
  } finally {
    await store.close()
  }
}

async function serve(
  options: ServerOptions,
  dir: DataDir,
  store: Awaited<ReturnType<typeof openLevelStore>>,
  log: Logger,
  signal: AbortSignal,
  giveUpDrain: AbortSignal,
): Promise<void> {
  const clock = systemClock
  const runtime = createPosixRuntime({ dataDir: dir.path, clock, log: log.child({ part: 'runtime' }) })
  await runtime.open()
  await clearPreviews(dir.previews)
  const registry = await createRegistry({ store, clock, log: log.child({ part: 'registry' }) })
  const clientOf = (name: string): ReturnType<typeof createLocalClient> => createLocalClient(registry, { fieldManager: name })

  const agent = createAgent({
    client: clientOf('pmk-agent'),
    runtime,
    clock,
    log: log.child({ part: 'agent' }),
    nodeName: options.nodeName,
    version,
    diskShortage: () => diskShortage(dir.path),
  })
  const turns = new LookTurns(clock)
  const controllers = createControllers({
    client: clientOf('pmk-controllers'),
    clock,
    log: log.child({ part: 'controllers' }),
    beside: (informers) => [
      gitOps({ client: clientOf('pmk-gitops'), clock, log: log.child({ part: 'gitops' }), informers, directory: dir.sources, turns }),
    ],
  })
  const audit =
    options.auditLogSize === 0
      ? undefined
      : new AuditLog({ file: dir.auditLog, size: options.auditLogSize, clock, log: log.child({ part: 'audit' }) })
  let isTlsSettled = false
  const api = createApiServer({
    registry,
    gateways: (nodeName) => {
      if (nodeName === options.nodeName) return agent.gateway
      throw apiError('ServiceUnavailable', `no agent of node ${nodeName} is connected`)
    },
    clock,
    log: log.child({ part: 'api' }),
    version,
    ready: () => {
      const reasons = [
        ...(agent.ready() ? [] : ['the agent is taking over the processes']),
        // Who was told that the server is ready asks for its kubeconfig next.
        ...(isTlsSettled ? [] : ['the TLS port is being opened']),
      ]
      return { ok: reasons.length === 0, reasons }
    },
    storeRefusal: () => store.refusal(),
    backup: async () => (await backupOf(store, { createdAt: clock.now(), writtenBy: version })).chunks,
    preview: sourcePreviewer({ client: clientOf('pmk-gitops'), clock, directory: dir.previews, turns }),
    tls: { endpoint: () => tls.endpoint(), sign: (request, ttlSeconds) => tls.sign(request, ttlSeconds) },
    ...(audit === undefined ? {} : { audit }),
    limits: { connections: connectionsFor(openFilesLimit(), LIMITS.connections) },
  })

  const { bind, port, tlsNames: names } = options
  const tls = new TlsPort({ api, clock, log: log.child({ part: 'tls' }), bind, port, names, pki: dir.pki, kubeconfig: dir.kubeconfig })

  // Parts end in the reverse order of their dependence: first nobody asks any more, then nothing is decided, then nothing is done.
  const decide = new AbortController()
  const act = new AbortController()
  let failed: (err: unknown) => void = () => {}
  const failure = new Promise<never>((_, reject) => {
    failed = reject
  })
  const watched = (part: Promise<void>): Promise<void> => {
    part.catch(failed)
    return part
  }
  const agentRun = watched(agent.run(act.signal))
  const controllersRun = watched(controllers.run(decide.signal))
  try {
    // Who was told that the server is ready asks for its sources next.
    await followDirectories({ client: clientOf('pmk-server'), clock, log: log.child({ part: 'gitops' }) }, options.manifests, decide.signal)
    await api.listen({ socketPath: dir.socket })
    void tls.open().then(() => {
      isTlsSettled = true
    })
    writeServerRecord(dir.serverFile, version)
    log.info({ socket: dir.socket, node: options.nodeName, version }, 'Server is listening')
    await Promise.race([aborted(signal), failure])
    const drain = options.onExit === 'stop' || (signal.reason as StopRequest | undefined)?.drain === true
    log.info({ drain }, 'Server is stopping')
    if (drain) {
      await agent.drain(giveUpDrain).catch((err: unknown) => {
        if (!isAbort(err, giveUpDrain)) throw err
        log.warn({}, 'The drain was given up: what still runs goes on')
      })
    }
  } finally {
    await tls.close()
    await api.close()
    await audit?.close()
    decide.abort()
    await controllersRun.catch(() => {})
    act.abort()
    await agentRun.catch(() => {})
    await runtime.close()
    clearServerRecord(dir.serverFile)
  }
}
