import { accessSync, constants, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import nodeProcess from 'node:process'
import type { Cleanup } from './cleanup.ts'
import { Http } from './http.ts'
import { until } from './measure.ts'
import { background, kill, killTree } from './proc.ts'
import { temporary } from './scratch.ts'
import type { Starts } from './starts.ts'

/** Another supervisor, started from nothing with programs that tell of their start. */
export interface Peer {
  readonly name: string
  readonly program: string
  /** How long a program must have lived for a restart without a delay of its making. */
  readonly lifeBeforeRestart: number
  /** Waits at least a second before a restart by design: a few rounds tell all. */
  readonly slow: boolean
  /** So many programs are not too many for it. */
  readonly crowd: number
  /** The command, after everything that it needs is written to `directory`. */
  prepare(directory: string, names: readonly string[], starts: Starts): readonly string[]
}

/** runit and s6 have one layout: a directory a service, in it the program as `run`. */
function serviceDirectories(directory: string, names: readonly string[], starts: Starts): string {
  const services = join(directory, 'services')
  for (const name of names) {
    mkdirSync(join(services, name), { recursive: true })
    writeFileSync(join(services, name, 'run'), starts.script(name), { mode: 0o755 })
  }
  return services
}

export const PEERS: readonly Peer[] = [
  {
    name: 'runit',
    program: 'runsvdir',
    lifeBeforeRestart: 1_100,
    slow: false,
    crowd: 1_000,
    prepare: (directory, names, starts) => ['runsvdir', serviceDirectories(directory, names, starts)],
  },
  {
    name: 's6',
    program: 's6-svscan',
    lifeBeforeRestart: 1_100,
    slow: true,
    crowd: 1_000,
    prepare: (directory, names, starts) => ['s6-svscan', '-c', '2000', serviceDirectories(directory, names, starts)],
  },
  {
    name: 'Supervisor',
    program: 'supervisord',
    lifeBeforeRestart: 1_100,
    slow: true,
    crowd: 1_000,
    prepare: (directory, names, starts) => {
      const file = join(directory, 'supervisord.conf')
      const logs = 'stdout_logfile=NONE\nredirect_stderr=true'
      const programs = names.map((name) => `[program:${name}]\ncommand=${starts.command(name).join(' ')}\nautorestart=true\n${logs}\n`)
      const own = `[supervisord]\nnodaemon=true\nlogfile=NONE\nminfds=8192\npidfile=${directory}/pid\nchildlogdir=${directory}\n`
      writeFileSync(file, own + programs.join(''))
      return ['supervisord', '-n', '-c', file]
    },
  },
  {
    name: 'PM2',
    program: 'pm2-runtime',
    lifeBeforeRestart: 1_100,
    slow: false,
    crowd: 100,
    prepare: (directory, names, starts) => {
      const apps = names.map((name) => {
        const [script, ...args] = starts.command(name)
        return { name, script, args, interpreter: 'none', out_file: '/dev/null', error_file: '/dev/null' }
      })
      const file = join(directory, 'ecosystem.json')
      writeFileSync(file, JSON.stringify({ apps }))
      return ['env', `PM2_HOME=${directory}`, 'pm2-runtime', 'start', file]
    },
  },
  {
    name: 'Monit',
    program: 'monit',
    lifeBeforeRestart: 1_100,
    slow: true,
    crowd: 12,
    prepare: (directory, names, starts) => {
      const checks = names.map((name) => {
        const start = join(directory, `${name}.start`)
        writeFileSync(
          start,
          `#!/bin/sh\n${starts.command(name).join(' ')} </dev/null >/dev/null 2>&1 &\necho $! >${directory}/${name}.pid\n`,
          {
            mode: 0o755,
          },
        )
        return `check process ${name} with pidfile ${directory}/${name}.pid\n  start program = "${start}"\n`
      })
      const own = ['pidfile', 'statefile', 'idfile'].map((file) => `set ${file} ${directory}/monit.${file}\n`)
      const file = join(directory, 'monitrc')
      writeFileSync(file, `set daemon 1\n${own.join('')}${checks.join('')}`, { mode: 0o600 })
      return ['monit', '-I', '-c', file]
    },
  },
]

export function isInstalled(program: string): boolean {
  return pathOf(program) !== undefined
}

function pathOf(program: string): string | undefined {
  const directories = `${nodeProcess.env.PATH}:/usr/local/sbin:/usr/sbin:/sbin`.split(':')
  return directories
    .map((directory) => join(directory, program))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

/** Starts a peer; gives the pid of its topmost process. `onPrepared` is told when its configuration is written. */
export function startPeer(peer: Peer, names: readonly string[], starts: Starts, cleanup: Cleanup, onPrepared = (): void => {}): number {
  const directory = temporary(cleanup)
  const [program = '', ...args] = peer.prepare(directory, names, starts)
  onPrepared()
  // Some programs are nobody's children. Last, so that nobody starts them again.
  cleanup.add(() => {
    for (const pid of starts.pids) kill(pid)
  })
  const { pid } = background([pathOf(program) ?? program, ...args], { cwd: directory })
  cleanup.add(() => killTree(pid))
  return pid
}

/** An etcd on a port of the loopback; undefined when it is not installed. */
export async function startEtcd(cleanup: Cleanup): Promise<Http | undefined> {
  const path = pathOf('etcd')
  if (path === undefined) return undefined
  const directory = temporary(cleanup)
  const [client, peer] = await freePorts()
  const url = `http://127.0.0.1:${client}`
  const between = `http://127.0.0.1:${peer}`
  const { pid } = background([
    ...[path, '--data-dir', join(directory, 'etcd'), '--listen-client-urls', url, '--advertise-client-urls', url],
    ...['--listen-peer-urls', between, '--initial-advertise-peer-urls', between, '--initial-cluster', `default=${between}`],
  ])
  cleanup.add(() => killTree(pid))
  const http = new Http({ host: '127.0.0.1', port: client })
  cleanup.add(() => http.close())
  await until(20_000, 'start of etcd', () =>
    http.send({ method: 'GET', path: '/health' }).then(
      (body) => body.includes('true'),
      () => false,
    ),
  )
  return http
}

/** Two that nobody listens on, as far as one can know. */
async function freePorts(): Promise<readonly [number, number]> {
  const servers = [createServer(), createServer()]
  const ports: number[] = []
  for (const server of servers) {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    ports.push(typeof address === 'object' && address !== null ? address.port : 0)
  }
  for (const server of servers) await new Promise((resolve) => server.close(resolve))
  return [ports[0] ?? 0, ports[1] ?? 0]
}
