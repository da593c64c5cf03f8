/** How the server is to be called by the host's init. */
export interface ServiceOptions {
  /** argv of `pmk`, absolute: node and the entry file. */
  readonly command: readonly [string, ...string[]]
  readonly dataDir: string
  /** Further words of the server's command line. */
  readonly args?: readonly string[]
  /** True: for one user's own systemd instance. */
  readonly user: boolean
}

/**
 * A systemd unit. The processes must outlive the server, so systemd kills only the server itself; the cgroup below it is
 * pmk's to divide. When the whole system stops, processes are stopped in order first.
 */
export function systemdUnit({ command, dataDir, args = [], user }: ServiceOptions): string {
  const pmk = command.map(systemdWord).join(' ')
  const dir = systemdWord(dataDir)
  const drain = `case "$(systemctl is-system-running)" in stopping) exec ${command.map(shellWord).join(' ')} server stop --drain --data-dir ${shellWord(dataDir)};; esac`
  return `# Written by \`pmk server install\`; removed by \`pmk server uninstall\`.
[Unit]
Description=pmk keeps processes running
After=network.target local-fs.target
# Whatever keeps it from starting may pass: systemd must not give up.
StartLimitIntervalSec=0

[Service]
ExecStart=${[pmk, 'server run --data-dir', dir, ...args.map(systemdWord)].join(' ')}
ExecStop=-/bin/sh -c ${systemdWord(drain)}
Restart=always
RestartSec=1
# The processes go on when the server ends, is upgraded or runs out of memory.
KillMode=process
OOMPolicy=continue
Delegate=yes
# From systemd 254 on; older ones warn of it once.
DelegateSubgroup=server
TasksMax=infinity
TimeoutStopSec=150

[Install]
WantedBy=${user ? 'default.target' : 'multi-user.target'}
`
}

/** An init script with LSB headers, for hosts without systemd. */
export function initScript({ command, dataDir, args = [] }: ServiceOptions): string {
  const pmk = command.map(shellWord).join(' ')
  const start = ['pmk server start', ...args.map(shellWord)].join(' ')
  return `#!/bin/sh
# Written by \`pmk server install\`; removed by \`pmk server uninstall\`.
### BEGIN INIT INFO
# Provides:          pmk
# Required-Start:    $local_fs $remote_fs
# Required-Stop:     $local_fs $remote_fs
# Should-Start:      $network $syslog
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: pmk keeps processes running
### END INIT INFO
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
PMK_HOME=${shellWord(dataDir)}
export PATH PMK_HOME

pmk() { ${pmk} "$@"; }

case "$1" in
start) ${start} ;;
stop)
  # At the end of the system the processes are stopped in order; else they go on.
  case "$RUNLEVEL" in
  0 | 1 | 6) pmk server stop --drain ;;
  *) pmk server stop ;;
  esac
  ;;
restart | force-reload) pmk server stop && ${start} ;;
status) pmk server status ;;
*)
  echo "Usage: $0 {start|stop|restart|force-reload|status}" >&2
  exit 2
  ;;
esac
`
}

/** Single quotes, as \`sh\` reads them. */
function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}

/** Double quotes, as systemd reads them: specifiers and variables are escaped. */
function systemdWord(word: string): string {
  const escaped = word.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%').replaceAll('$', '$$$$')
  return /^[\w@+=:,./%$-]+$/.test(escaped) ? escaped : `"${escaped}"`
}
