import { type BigIntStats, readFileSync, statSync } from 'node:fs'
import nodeProcess from 'node:process'
import { type Clock, epochOf, type Millis } from '../base/clock.ts'
import { type Identity, StartError } from './runtime.ts'

interface User {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly home: string
  readonly shell: string
}
interface Group {
  readonly name: string
  readonly gid: number
  readonly members: readonly string[]
}

export interface IdentityRequest {
  readonly user?: string | number
  readonly group?: string | number
  readonly supplementalGroups?: readonly (string | number)[]
}

/** Where users and groups are found. `lookUp` asks the name service, for those who aren't in the files. */
export interface IdentitySource {
  readonly passwdFile: string
  readonly groupFile: string
  readonly clock: Clock
  lookUp(database: 'passwd' | 'group' | 'initgroups', key: string): Promise<string | undefined>
}

/**
 * The user by name or number, with the groups a login would have. A number without a user is taken as it is; a name
 * without a user is StartError(UserNotFound).
 */
export async function resolveIdentity(request: IdentityRequest, source: IdentitySource): Promise<Identity> {
  const users = usersIn(source.passwdFile, source.clock)
  const groups = groupsIn(source.groupFile, source.clock)
  const wanted = request.user ?? nodeProcess.getuid?.() ?? 0
  const local = users.find((each) => matches(each.name, each.uid, wanted))
  const known = local ?? parseUser((await source.lookUp('passwd', String(wanted))) ?? '')
  const user = known === undefined ? undefined : { ...known, isLocal: local !== undefined }
  if (user === undefined && !isNumber(wanted)) throw new StartError('UserNotFound', `There is no user "${wanted}" on this host`)

  const gid = async (key: string | number): Promise<number> => {
    const group = groups.find((each) => matches(each.name, each.gid, key))
    if (group !== undefined) return group.gid
    if (isNumber(key)) return Number(key)
    const found = parseGroup((await source.lookUp('group', String(key))) ?? '')
    if (found === undefined) throw new StartError('UserNotFound', `There is no group "${key}" on this host`)
    return found.gid
  }
  const uid = user?.uid ?? Number(wanted)
  const primary = request.group === undefined ? (user?.gid ?? uid) : await gid(request.group)
  const login = await loginGroups(request, user, groups, source)
  const extra = await Promise.all((request.supplementalGroups ?? []).map(gid))
  return {
    uid,
    gid: primary,
    supplementalGroups: [...new Set([...login, ...extra])].sort((a, b) => a - b),
    user: user?.name ?? String(uid),
    home: user?.home || '/',
    shell: user?.shell || '/bin/sh',
  }
}

/** The groups a login would give. */
async function loginGroups(
  request: IdentityRequest,
  user: (User & { readonly isLocal: boolean }) | undefined,
  groups: readonly Group[],
  source: IdentitySource,
): Promise<readonly number[]> {
  // The server's own user keeps the groups that the server has, as any child of it would.
  if (request.user === undefined) return nodeProcess.getgroups?.() ?? []
  if (user === undefined) return []
  if (user.isLocal) return groups.filter((group) => group.members.includes(user.name)).map((group) => group.gid)
  const [, ...gids] = ((await source.lookUp('initgroups', user.name)) ?? '').trim().split(/\s+/)
  return gids.filter(isNumber).map(Number)
}

export function parseUser(line: string): User | undefined {
  const [name, , uid, gid, , home, shell] = line.trimEnd().split(':')
  if (!name || shell === undefined || !isNumber(uid ?? '') || !isNumber(gid ?? '')) return undefined
  return { name, uid: Number(uid), gid: Number(gid), home: home ?? '/', shell }
}

export function parseGroup(line: string): Group | undefined {
  const [name, , gid, members] = line.trimEnd().split(':')
  if (!name || !isNumber(gid ?? '')) return undefined
  return { name, gid: Number(gid), members: (members ?? '').split(',').filter((member) => member !== '') }
}

/** Files that changed more recently are not remembered: the times of files are too coarse to tell two changes in a row apart. */
const SETTLED: Millis = 1_000

const usersIn = entriesOf(parseUser)
const groupsIn = entriesOf(parseGroup)

/** Reads a file of lines anew only when it is another one or has changed: each start asks, and hundreds may start at once. */
function entriesOf<T>(parseLine: (line: string) => T | undefined): (path: string, clock: Clock) => readonly T[] {
  const known = new Map<string, { readonly state: string; readonly entries: readonly T[] }>()
  return (path, clock) => {
    const stats = statSync(path, { bigint: true, throwIfNoEntry: false })
    if (stats === undefined) return []
    const state = stateOf(stats)
    const before = known.get(path)
    if (before?.state === state) return before.entries
    const entries = readFileSync(path, 'utf8')
      .split('\n')
      .flatMap((line) => parseLine(line) ?? [])
    if (epochOf(clock.now()) - Number(stats.ctimeMs) > SETTLED) known.set(path, { state, entries })
    else known.delete(path)
    return entries
  }
}

function stateOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`
}

function matches(name: string, id: number, wanted: string | number): boolean {
  return name === wanted || (isNumber(wanted) && id === Number(wanted))
}

function isNumber(value: string | number): boolean {
  return /^\d{1,10}$/.test(String(value))
}
