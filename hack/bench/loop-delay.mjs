// Loaded into the measured server ahead of its own code: tells over the IPC channel how long the event loop was blocked,
// and how much the heap holds. Does nothing until it is asked.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import process from 'node:process'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const RESOLUTION = 10
const delay = monitorEventLoopDelay({ resolution: RESOLUTION })

process.on('message', (question) => {
  process.send?.(answer(question), () => {})
})
// The server ends when it wants to.
process.channel?.unref()

function answer(question) {
  switch (question) {
    case 'start':
      delay.reset()
      delay.enable()
      return {}
    case 'stop':
      delay.disable()
      return { longest: Math.max(0, delay.max / 1e6 - RESOLUTION), p99: Math.max(0, delay.percentile(99) / 1e6 - RESOLUTION) }
    case 'heap': {
      setFlagsFromString('--expose-gc')
      runInNewContext('gc')()
      const { heapUsed, external } = process.memoryUsage()
      return { bytes: heapUsed + external }
    }
  }
  return {}
}
