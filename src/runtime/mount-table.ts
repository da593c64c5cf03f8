/** One mount as `/proc/PID/mountinfo` tells of it. */
export interface Mount {
  readonly id: number
  readonly parent: number
  /** Where it is mounted. */
  readonly at: string
  /** Options of the mount, not of its file system: `rw`, `nosuid` and the like. */
  readonly options: readonly string[]
}

export function parseMounts(text: string): readonly Mount[] {
  return text.split('\n').flatMap((line) => {
    const [id, parent, , , at, options] = line.split(' ')
    if (at === undefined || options === undefined) return []
    return [{ id: Number(id), parent: Number(parent), at: decodeOctal(at), options: options.split(',') }]
  })
}

/** A path as the kernel writes it into a mount table: blanks, tabs, newlines and backslashes in octal. */
export function escapeMountPath(path: string): string {
  return path.replaceAll(/[ \t\n\\]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`)
}

/** Those that a path leads to: neither covered by a mount at the same place nor below one that was mounted later. */
export function visibleMounts(mounts: readonly Mount[]): readonly Mount[] {
  const ids = new Set(mounts.map(({ id }) => id))
  const children = new Map<number, Mount[]>()
  for (const mount of mounts) {
    const siblings = children.get(mount.parent)
    if (siblings === undefined) children.set(mount.parent, [mount])
    else siblings.push(mount)
  }
  const found: Mount[] = []
  const walk = (mount: Mount): void => {
    const below = (children.get(mount.id) ?? []).filter(({ id }) => id !== mount.id)
    const cover = below.findLast(({ at }) => at === mount.at)
    if (cover === undefined) found.push(mount)
    const reached = cover === undefined ? below.filter(({ at }) => !below.some((other) => isBelow(at, other.at))) : [cover]
    for (const each of reached) walk(each)
  }
  for (const mount of mounts) if (mount.parent === mount.id || !ids.has(mount.parent)) walk(mount)
  return found
}

/** True when the path lies below the directory, which is another path. Both are absolute and free of links, `.` and `..`. */
export function isBelow(path: string, directory: string): boolean {
  return path !== directory && path.startsWith(directory === '/' ? '/' : `${directory}/`)
}

function decodeOctal(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}
