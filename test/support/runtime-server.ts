// A server reduced to its runtime, in a process of its own that tests kill. Speaks with its parent by messages.
import nodeProcess from 'node:process'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import { createPosixRuntime } from '../../src/runtime/posix-runtime.ts'
import type { RunConfig } from '../../src/runtime/runtime.ts'

const [, , dataDir = '', cgroups] = nodeProcess.argv
const runtime = createPosixRuntime({ dataDir, clock: systemClock, log: silentLogger, cgroups: cgroups === 'true', logRetention: 0 })
await runtime.open()

nodeProcess.on('message', (config: RunConfig) => {
  runtime.start(config).then(
    (run) => nodeProcess.send?.({ run }),
    (err: unknown) => nodeProcess.send?.({ error: String(err) }),
  )
})
nodeProcess.send?.({ open: true })
