/**
 * Raised when shims of an older text must be driven otherwise; kept in each run directory. A shim of format 1 reads each
 * attempt's launch text from a file of its own.
 */
export const RUN_FORMAT = '2'

/** Bytes set aside in each record file, so that a record is written in place, whole, also on a full disk. */
export const RECORD_SIZE = 512

/**
 * The launcher: reads Instance directories from its standard input, one a line, leaves a resident shim behind for each,
 * and ends at end of file. The shim runs each attempt in its foreground and needs neither launcher nor server.
 *
 * The program never inherits descriptor 9: a FIFO that can't be opened for writing proves that no shim reads.
 */
export const LAUNCHER_TEXT: string = `# pmk launcher, format ${RUN_FORMAT}
shim() {
  # Reading AND writing: read never sees an end of file, and a writer never blocks at open.
  cd "$1" && exec 9<>ctl || exit
  IFS= read -r st </proc/self/stat && echo "$st" 1<>shim
  # Only now may the launcher go on: one that has gone left no shim half-made.
  kill -9 "$2"
  # A handler and not '': children get the default back.
  trap : HUP INT TERM
  last=0
  while :; do
    read -r verb run <&9 || continue
    case $verb in
    run)
      # A doubled command is no second start.
      [ "$run" -gt "$last" ] || continue
      last=$run
      # What sh itself says of a death by signal goes to the record too, ahead of the status.
      { ( IFS= read -r st </proc/self/stat; echo "$run $st" 1<>pid; . ./launch ) 9<&- </dev/null >>log 2>&1
        echo "$run $?" >&2
      } 2<>exit ;;
    end) exit 0 ;;
    esac
  done
}
while IFS= read -r dir; do
  # No background job: it would have SIGINT and SIGQUIT ignored for good. The shim is the foreground child of a waiting
  # subshell and kills it. The colon keeps sh from leaving that subshell out, for then the launcher would be killed.
  ( ( read -r _ _ _ parent _ </proc/self/stat; shim "$dir" "$parent" ) </dev/null >/dev/null 2>&1; : ) 2>/dev/null
done 2>/dev/null
`

/** The exit record of one attempt: `bySignal` tells a death by signal from an exit with the same number. */
export interface ExitRecord {
  readonly status: number
  readonly bySignal: boolean
}

/** The record of this attempt in the file `exit`; undefined when it isn't there (yet), or is another attempt's. */
export function parseExitRecord(text: string, attempt: number): ExitRecord | undefined {
  const lines = text.split('\n', 3)
  // At most one line of sh's own comes first. The last element has no newline behind it and is no whole line.
  for (const [index, line] of lines.slice(0, -1).entries()) {
    const match = /^(\d+) (\d+)$/.exec(line)
    if (match === null) continue
    if (Number(match[1]) !== attempt) return undefined
    const status = Number(match[2])
    return { status, bySignal: status > 128 && (index > 0 || SILENT_SIGNAL_STATUSES.has(status)) }
  }
  return undefined
}

/** sh says nothing of SIGINT and SIGPIPE, so these numbers are taken for the signals. */
const SILENT_SIGNAL_STATUSES: ReadonlySet<number> = new Set([130, 141])
