import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/base/clock.ts'
import { silentLogger } from '../../src/base/log.ts'
import { createPosixRuntime } from '../../src/runtime/posix-runtime.ts'
import { type ProcessRuntime, type RunConfig, StartError } from '../../src/runtime/runtime.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { FakeRuntime } from '../support/fake-runtime.ts'
import { type ProgramKind, type RuntimeHarness, testRuntime } from './runtime.ts'

function posix(name: string, cgroups: boolean): RuntimeHarness {
  let dataDir: string
  const open = async (): Promise<ProcessRuntime> => {
    const runtime = createPosixRuntime({ dataDir, clock: systemClock, log: silentLogger, cgroups, logRetention: 0 })
    await runtime.open()
    return runtime
  }
  return {
    name,
    create: () => {
      dataDir = mkdtempSync(join(tmpdir(), 'pmk-runtime-'))
      return open()
    },
    reopen: async (runtime) => {
      await runtime.close()
      return open()
    },
    program: (_runtime, _name, kind) => shellCommand(kind),
    missing: () => ['pmk-no-such-command'],
    destroy: async (runtime) => {
      for (const { instance, run } of await runtime.list()) {
        if (run !== undefined) await runtime.killTree(run.id)
        await runtime.remove(instance)
      }
      await runtime.close()
      rmSync(dataDir, { recursive: true })
    },
  }
}

function shellCommand(kind: ProgramKind): RunConfig['command'] {
  switch (kind.kind) {
    case 'forever':
      return ['sleep', '1000']
    case 'exits':
      return ['sh', '-c', `exit ${kind.code}`]
    case 'ignores TERM':
      return ['sh', '-c', 'trap "" TERM; echo ready; sleep 1000']
    case 'leaves behind':
      return ['sh', '-c', '( trap "" TERM; exec setsid sleep 1000 ) & exit 0']
    case 'prints':
      return ['sh', '-c', 'printf %s "$1"; exec sleep 1000', '-', kind.text]
  }
}

function fake(): RuntimeHarness {
  return {
    name: 'in memory',
    create: async () => {
      const runtime = new FakeRuntime({ clock: new FakeClock() })
      await runtime.open()
      return runtime
    },
    reopen: async (runtime) => {
      await runtime.close()
      await runtime.open()
      return runtime
    },
    program: (runtime, name, kind) => {
      const programs = runtime as FakeRuntime
      programs.failStart(name, undefined)
      if (kind.kind === 'exits') programs.program(name, { exitsAfter: 0, exitCode: kind.code })
      else if (kind.kind === 'ignores TERM') programs.program(name, { ignores: ['TERM'], output: 'ready\n' })
      else if (kind.kind === 'leaves behind') programs.program(name, { exitsAfter: 0, leavesBehind: true })
      else programs.program(name, kind.kind === 'prints' ? { output: kind.text } : {})
      return ['program']
    },
    missing: (runtime, name) => {
      ;(runtime as FakeRuntime).failStart(name, new StartError('CommandNotFound', 'There is no such command'))
      return ['missing']
    },
    destroy: (runtime) => runtime.close(),
  }
}

testRuntime(fake())
testRuntime(posix('on Linux with cgroups', true))
testRuntime(posix('on Linux without cgroups', false))
