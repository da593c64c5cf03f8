/** Linux capabilities in the order of their numbers. */
const NAMES: readonly string[] = (
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST ' +
  'NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE ' +
  'SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM ' +
  'BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'
).split(' ')

/** Upper case, without `CAP_`; undefined when there is no such capability. */
export function capabilityName(name: string): string | undefined {
  const plain = name.toUpperCase().replace(/^CAP_/, '')
  return plain === 'ALL' || NAMES.includes(plain) ? plain : undefined
}

/** The capabilities that a process has in effect, by the text of its `/proc/PID/status`. */
export function effectiveCapabilities(status: string): ReadonlySet<string> {
  const digits = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'
  const bits = BigInt(`0x${digits}`)
  return new Set(NAMES.filter((_, number) => (bits >> BigInt(number)) & 1n))
}
