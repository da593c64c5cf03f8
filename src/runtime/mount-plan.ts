import { escapeMountPath, isBelow, type Mount } from './mount-table.ts'

/** What a program is to see of the file system. All paths exist, are absolute and free of links. */
export interface MountRequest {
  readonly readOnlyPaths: readonly string[]
  readonly writablePaths: readonly string[]
  readonly hiddenPaths: readonly { readonly path: string; readonly isDirectory: boolean }[]
  /** Directories of its own, by the place at which it sees them. */
  readonly privatePaths: ReadonlyMap<string, string>
}

const NO_SOURCE = 'none'

/** What stands in the place of what is hidden. */
export interface Covers {
  readonly directory: string
  readonly file: string
}

/** One call of mount(8). `try`: what it should do is checked afterwards, a mount that went meanwhile is no failure. */
export interface MountStep {
  readonly kind: 'must' | 'try'
  readonly options: string
  readonly source: string
  readonly target: string
}

/** What the kernel has to say of a place afterwards. `ro?`: read-only, if anything is mounted there. */
export interface MountCheck {
  readonly expect: 'ro' | 'ro?' | 'there'
  readonly path: string
}

export interface MountPlan {
  readonly steps: readonly MountStep[]
  readonly checks: readonly MountCheck[]
}

/**
 * The mounts that make the request true in a mount namespace that begins as a copy of these (visible) mounts. Of two paths the
 * deeper one decides; what is hidden is hidden with all below it; at the same path writable wins over read-only.
 */
export function planMounts(request: MountRequest, mounts: readonly Mount[], covers: Covers): MountPlan {
  const hidden = request.hiddenPaths.filter(({ path }) => !request.hiddenPaths.some((other) => isBelow(path, other.path)))
  const isHidden = (path: string): boolean => hidden.some((each) => each.path === path || isBelow(path, each.path))
  const own = [...request.privatePaths].filter(([at]) => !isHidden(at))
  const isReplaced = (path: string): boolean => isHidden(path) || own.some(([at]) => at === path || isBelow(path, at))

  const writable = new Set(request.writablePaths)
  const readOnly = new Set(request.readOnlyPaths.filter((path) => !writable.has(path)))
  const rules = [...readOnly, ...writable].filter((path) => !isReplaced(path)).sort((a, b) => a.length - b.length)
  const ruleOf = (path: string): string | undefined => rules.findLast((rule) => rule === path || isBelow(path, rule))
  const isReadOnly = (path: string): boolean => readOnly.has(ruleOf(path) ?? '')

  const existing = mounts.filter(({ at }) => !isReplaced(at))
  const byPlace = new Map(existing.map((mount) => [mount.at, mount]))
  // What is writable anyway needs nothing.
  const made = rules.filter((path) => !byPlace.has(path) && (readOnly.has(path) || rules.some((rule) => isBelow(path, rule))))
  const around = (path: string): readonly string[] =>
    existing.filter(({ at }) => isBelow(path, at)).reduce<Mount | undefined>(deeper, undefined)?.options ?? []

  const closed = [
    ...existing.filter(({ at, options }) => isReadOnly(at) && !options.includes('ro')),
    ...made.filter((path) => isReadOnly(path)).map((path) => ({ at: path, options: around(path) })),
  ]
  return {
    steps: [
      ...own.map(([at, source]) => ({ kind: 'must' as const, options: 'bind,nosuid,nodev', source, target: at })),
      // The shallow ones first: a deeper one goes on top of it.
      ...made.map((path) => ({ kind: 'must' as const, options: 'rbind', source: path, target: path })),
      ...closed.map(({ at, options }) => ({ kind: 'try' as const, options: readOnlyOptions(options), source: NO_SOURCE, target: at })),
      ...hidden.map(({ path, isDirectory }) => ({
        kind: 'must' as const,
        options: 'bind,ro,nosuid,nodev,noexec',
        source: isDirectory ? covers.directory : covers.file,
        target: path,
      })),
    ],
    checks: [
      ...own.map(([path]) => ({ expect: 'there' as const, path })),
      ...made.filter((path) => !isReadOnly(path)).map((path) => ({ expect: 'there' as const, path })),
      ...rules.filter((path) => readOnly.has(path)).map((path) => ({ expect: 'ro' as const, path })),
      ...existing.filter(({ at }) => isReadOnly(at) && !readOnly.has(at)).map(({ at }) => ({ expect: 'ro?' as const, path: at })),
      ...hidden.map(({ path }) => ({ expect: 'ro' as const, path })),
    ],
  }
}

/** The descriptors on which `MOUNT_SCRIPT` holds sources, which an earlier step may have covered. */
const SOURCES: readonly number[] = [5, 6, 7, 8]

/** As words for `MOUNT_SCRIPT`. */
export function mountWords({ steps, checks }: MountPlan): readonly string[] {
  const held = [...new Set(steps.flatMap(({ source, target }) => (source === NO_SOURCE || source === target ? [] : [source])))]
  const word = (source: string): string => (held.includes(source) ? `/proc/self/fd/${SOURCES[held.indexOf(source)]}` : source)
  return [
    ...SOURCES.map((_, index) => held[index] ?? '/dev/null'),
    ...steps.flatMap(({ kind, options, source, target }) => [kind, options, word(source), target]),
    'checks',
    ...checks.flatMap(({ expect, path }) => [expect, escapeMountPath(path)]),
  ]
}

/**
 * Run by sh in a mount namespace of its own as `mount(8), working directory, words of the plan, --, what to become`. That every
 * mount is where it should be is read from the kernel's own table: a link put into a path meanwhile leads to no start.
 */
export const MOUNT_SCRIPT: string = `mount=$1 dir=$2
exec 5<"$3" 6<"$4" 7<"$5" 8<"$6"
shift 6
while [ "$1" != checks ]; do
  if [ "$1" = try ]; then "$mount" -c -n -o "$2" -- "$3" "$4" </dev/null 2>/dev/null
  else "$mount" -c -n -o "$2" -- "$3" "$4" </dev/null || exit 126
  fi
  shift 4
done
shift
table=' '
while read -r _ _ _ _ at options _; do table="$table$at:$options "; done </proc/self/mountinfo
while [ "$1" != -- ]; do
  case "$1 \${table##*" $2:"}" in
  "there r"* | "ro ro"* | "ro? ro"* | "ro?  "*) ;;
  *) echo "$2 could not be mounted as securityContext asks" >&2; exit 126 ;;
  esac
  shift 2
done
shift
exec 5<&- 6<&- 7<&- 8<&-
cd -P -- "$dir" || exit 127
unset PWD OLDPWD
exec "$@"
`

/** Run by sh as `working directory, what to become` in a mount namespace that it was put into by the descriptor 4. */
export const ENTER_SCRIPT: string = `exec 4<&-
cd -P -- "$1" || exit 127
unset PWD OLDPWD
shift
exec "$@"
`

/** A mount keeps what else is said of it: a remount would take away all that isn't named. */
const KEPT: ReadonlySet<string> = new Set(['nosuid', 'nodev', 'noexec', 'noatime', 'nodiratime', 'relatime', 'nosymfollow'])

function readOnlyOptions(options: readonly string[]): string {
  return ['remount', 'bind', 'ro', ...options.filter((option) => KEPT.has(option))].join(',')
}

function deeper(a: Mount | undefined, b: Mount): Mount {
  return a === undefined || b.at.length > a.at.length ? b : a
}
