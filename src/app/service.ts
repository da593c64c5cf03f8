import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { runCommand } from '../base/command.ts'
import { initScript, type ServiceOptions, systemdUnit } from './service-files.ts'

export type InitSystem = 'systemd' | 'sysv'

/** The init that runs this host. */
export function detectInit(): InitSystem {
  return existsSync('/run/systemd/system') ? 'systemd' : 'sysv'
}

export interface Service {
  readonly file: string
  readonly text: string
  /** Run after the file is written, in order. */
  readonly enable: readonly (readonly [string, ...string[]])[]
  /** Run before the file is removed. */
  readonly disable: readonly (readonly [string, ...string[]])[]
}

/** What installing the server means on this host. Throws when this user can't. */
export function serviceFor(init: InitSystem, options: ServiceOptions & { readonly configHome: string }): Service {
  if (init === 'sysv') {
    if (options.user)
      throw new Error('Without systemd only root can install the server: run it with sudo, or start it with `pmk server start`.')
    return {
      file: '/etc/init.d/pmk',
      text: initScript(options),
      enable: [['update-rc.d', 'pmk', 'defaults']],
      disable: [['update-rc.d', '-f', 'pmk', 'remove']],
    }
  }
  const systemctl = options.user ? (['systemctl', '--user'] as const) : (['systemctl'] as const)
  return {
    file: options.user ? join(options.configHome, 'systemd/user/pmk.service') : '/etc/systemd/system/pmk.service',
    text: systemdUnit(options),
    enable: [
      [...systemctl, 'daemon-reload'],
      [...systemctl, 'enable', '--now', 'pmk.service'],
    ],
    // Not --now: the server that runs goes on, and so do its processes.
    disable: [[...systemctl, 'disable', 'pmk.service']],
  }
}

export async function installService(service: Service): Promise<void> {
  mkdirSync(dirname(service.file), { recursive: true })
  writeFileSync(service.file, service.text)
  chmodSync(service.file, service.file.startsWith('/etc/init.d/') ? 0o755 : 0o644)
  for (const command of service.enable) await must(command)
}

/** False when it was not installed. */
export async function uninstallService(service: Service): Promise<boolean> {
  if (!existsSync(service.file)) return false
  for (const command of service.disable) await must(command)
  rmSync(service.file)
  return true
}

async function must(command: readonly [string, ...string[]]): Promise<void> {
  const result = await runCommand(command).catch((err: Error) => ({ code: 127, stdout: '', stderr: err.message }))
  if (result.code !== 0) throw new Error(`${command.join(' ')} failed with code ${result.code}: ${(result.stderr || result.stdout).trim()}`)
}
