import { join } from 'node:path'
import nodeProcess from 'node:process'
import { runInPlace } from '../base/command.ts'
import { isExecutable } from '../base/executable.ts'

const DIRECTORIES = ['/usr/bin', '/bin', '/usr/local/bin']
/** What a reaper exits with before it has started anything, when this kernel or this machine is not for it. */
const UNABLE = 97

/**
 * A reaper is a subreaper (prctl 36): it starts the command, adopts whatever loses its parent below it, waits for all, passes
 * signals on to the command, and ends with its exit code. That it really became one is asked of the kernel (prctl 37), since
 * perl knows prctl only by its number on each machine.
 */
const PERL = `use Config;
my ($machine) = $Config{archname} =~ /^([a-z0-9_]+)/;
my %numbers = (x86_64 => 157, aarch64 => 167, riscv64 => 167, loongarch64 => 167, arm => 172, i386 => 172, i486 => 172,
  i586 => 172, i686 => 172, powerpc64le => 171, ppc64le => 171, s390x => 172);
my $prctl = $numbers{$machine} or exit ${UNABLE};
my $answer = pack 'i', 0;
syscall($prctl, 36, 1, 0, 0, 0) == 0 && syscall($prctl, 37, $answer, 0, 0, 0) == 0 && unpack('i', $answer) == 1 or exit ${UNABLE};
my $command = fork // exit ${UNABLE};
if (!$command) { exec { $ARGV[0] } @ARGV; exit 127 }
for my $name (qw(TERM INT HUP QUIT USR1 USR2)) { $SIG{$name} = sub { kill $name, $command } }
while ((my $ended = wait) > 0) { exit($? & 127 ? 128 + ($? & 127) : $? >> 8) if $ended == $command }
`

const PYTHON = `import ctypes, os, signal, sys
libc, answer = ctypes.CDLL(None), ctypes.c_int(0)
if libc.prctl(36, 1, 0, 0, 0) or libc.prctl(37, ctypes.byref(answer), 0, 0, 0) or answer.value != 1: sys.exit(${UNABLE})
command = os.fork()
if command == 0:
    try: os.execv(sys.argv[1], sys.argv[1:])
    finally: os._exit(127)
for name in ('TERM', 'INT', 'HUP', 'QUIT', 'USR1', 'USR2'):
    signal.signal(getattr(signal, 'SIG' + name), lambda number, frame: os.kill(command, number))
while True:
    ended, status = os.wait()
    if ended == command: os._exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))
`

const REAPERS: readonly (readonly [string, ...string[]])[] = [
  ['perl', '-e', PERL, '--'],
  ['python3', '-ISc', PYTHON],
]

/**
 * Process 1 inherits every orphan of its container, and Node waits for its own children only. So it starts this very command
 * line once more, below a reaper, passes signals on and gives the exit code; undefined: not process 1, or there is no reaper
 * here, and the caller carries on itself.
 */
export async function runBelowReaper(): Promise<number | undefined> {
  if (nodeProcess.pid !== 1) return undefined
  const again = [nodeProcess.execPath, ...nodeProcess.execArgv, ...nodeProcess.argv.slice(1)]
  for (const [name, ...words] of REAPERS) {
    const path = DIRECTORIES.map((directory) => join(directory, name)).find(isExecutable)
    if (path === undefined) continue
    const code = await runInPlace([path, ...words, ...again])
    if (code !== UNABLE) return code
  }
  return undefined
}
