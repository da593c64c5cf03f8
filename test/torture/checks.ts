import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { Instance } from '../../src/generated/types.ts'
import { isAlive, type Ledger, type LedgerRun, partsOf } from './ledger.ts'
import { SECRET_TEXT, SLOTS, told } from './manifests.ts'
import type { Snapshot } from './settled.ts'

/** A process that the host says is of this world. */
interface Marked {
  readonly pid: number
  readonly run: string
  readonly command: string
  readonly cwd: string
}

/** Processes with the mark of an Instance of this world, and shims in its run directories. */
export function markedProcesses(dataDir: string, knows: (uid: string) => boolean): readonly Marked[] {
  const found: Marked[] = []
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'latin1')
      if (/\) [ZX] /.test(stat)) continue
      const cwd = readlinkSync(`/proc/${entry}/cwd`)
      const run = /(?:^|\0)PMK_RUN=([^\0]*)/.exec(readFileSync(`/proc/${entry}/environ`, 'latin1'))?.[1] ?? ''
      if (!cwd.startsWith(join(dataDir, 'run')) && !knows(partsOf(run).uid)) continue
      found.push({ pid: Number(entry), run, cwd, command: readFileSync(`/proc/${entry}/cmdline`, 'latin1').replaceAll('\0', ' ').trim() })
    } catch {
      // It ended while we looked.
    }
  }
  return found
}

/** Processes of this world that no Instance stands for, and command lines that tell a secret. */
export function checkProcesses(dataDir: string, { instances }: Snapshot, ledger: Ledger): readonly string[] {
  const wrong: string[] = []
  const byUid = new Map(instances.map((instance) => [instance.metadata.uid, instance]))
  for (const { pid, run, cwd, command } of markedProcesses(dataDir, (uid) => ledger.of(uid).length > 0)) {
    if (command.includes(SECRET_TEXT)) wrong.push(`the command line of ${pid} tells a secret: ${command}`)
    const shimOf = cwd.startsWith(join(dataDir, 'run/')) ? cwd.slice(join(dataDir, 'run/').length).split('/')[0] : undefined
    // Those made ahead have no Instance yet, and the launcher none at all.
    if (shimOf !== undefined && !shimOf.startsWith('.') && !byUid.has(shimOf)) wrong.push(`the shim ${pid} in ${cwd} has no Instance`)
    if (shimOf !== undefined || run === '') continue
    const { uid, attempt } = partsOf(run)
    const instance = byUid.get(uid)
    const name = ledger.of(uid)[0]?.instance
    if (instance === undefined) wrong.push(`${pid} (${command}) runs as ${run} of ${name}, and there is no such Instance`)
    // Commands on behalf of an Instance have marks that are no attempt.
    else if (
      Number.isInteger(attempt) &&
      instance.status?.attempt !== attempt &&
      instance.spec.suspend !== true &&
      !isNext(instance, attempt)
    )
      wrong.push(`${pid} (${command}) is of attempt ${attempt} of ${name}, which is at ${instance.status?.attempt}`)
  }
  const directories = readdirSync(join(dataDir, 'run'), { withFileTypes: true }).filter(
    (entry) => entry.isDirectory() && !entry.name.startsWith('.'),
  )
  for (const { name } of directories) if (!byUid.has(name)) wrong.push(`run/${name} has no Instance`)
  return wrong
}

/** Of a program that ends by itself, again and again, the next attempt may have begun since the snapshot. */
function isNext({ spec, status }: Instance, attempt: number): boolean {
  return told(spec.template.args, 'life') !== undefined && attempt === (status?.attempt ?? 0) + 1
}

/** What an Instance was when it was looked at last. */
export interface Known {
  readonly pid: number | undefined
  readonly attempt: number | undefined
  readonly restarts: number
}

export function known({ status }: Instance): Known {
  return { pid: status?.pid, attempt: status?.attempt, restarts: status?.restartCount ?? 0 }
}

/** Instances that are not what they were although nothing was done to them. `disturbed`: uids that something was done to, and Processes. */
export function checkUntouched(snapshot: Snapshot, before: ReadonlyMap<string, Known>, disturbed: ReadonlySet<string>): readonly string[] {
  return snapshot.instances.flatMap((instance) => {
    const { uid, name } = instance.metadata
    const then = before.get(uid)
    if (then?.pid === undefined || disturbed.has(uid) || disturbed.has(instance.spec.process)) return []
    if (told(instance.spec.template.args, 'life') !== undefined) return []
    const now = known(instance)
    if (JSON.stringify(now) === JSON.stringify(then)) return []
    return [
      `${name} was ${JSON.stringify(then)}, nobody touched it, and it is ${JSON.stringify(now)}: ${JSON.stringify(instance.status?.transitions?.slice(-4))}`,
    ]
  })
}

/** Exit codes and restart counts, as far as the ledger knows them. `lostShims`: runs and Instances whose shim was killed. */
export function checkDeaths(snapshot: Snapshot, ledger: Ledger, lostShims: ReadonlySet<string>): readonly string[] {
  const wrong: string[] = []
  for (const instance of snapshot.instances) {
    const { uid, name } = instance.metadata
    const role = SLOTS.find((slot) => slot.name === instance.spec.process)?.role
    const runs = ledger.of(uid)
    const ended = runs.filter((run) => !isAlive(run)).at(-1)
    const { status } = instance
    const termination = status?.lastTermination
    if (ended !== undefined && !ended.forks && ended === lastEnded(instance, runs)) {
      const isLost = lostShims.has(uid)
      const reason =
        termination === undefined ? 'there is none' : wrongEnd(termination, ended, isLost, role === 'mortal' || role === 'bystander')
      if (reason !== undefined)
        wrong.push(`lastTermination of ${name}, attempt ${ended.attempt}: ${reason}; the ledger has ${JSON.stringify(ended)}`)
    }
    if (role === 'mortal' || role === 'bystander') {
      const restarts = status?.restartCount ?? 0
      const expected = runs.length - 1
      const isRight = lostShims.has(uid) ? restarts >= expected && restarts < (status?.attempt ?? 0) : restarts === expected
      if (!isRight && runs.length > 0)
        wrong.push(`restartCount of ${name} is ${restarts} after ${runs.length} starts (attempt ${status?.attempt})`)
    }
  }
  return wrong
}

/** The run that lastTermination must be about; undefined where the ledger can't tell. */
function lastEnded({ status, spec }: Instance, runs: readonly LedgerRun[]): LedgerRun | undefined {
  if (status?.attempt === undefined || spec.suspend) return undefined
  if (status.lastTermination?.reason === 'StartError') return undefined
  const attempt = status.pid === undefined ? status.attempt : status.attempt - 1
  return runs.find((run) => run.attempt === attempt)
}

type Termination = NonNullable<NonNullable<Instance['status']>['lastTermination']>

function wrongEnd({ exitCode, signal, reason }: Termination, run: LedgerRun, isLost: boolean, isUntouched: boolean): string | undefined {
  const told = JSON.stringify({ exitCode, signal, reason })
  if (exitCode === undefined) return isLost ? undefined : told
  if (signal === undefined) return run.end?.by === 'code' && Number(run.end.what) === exitCode ? undefined : told
  if (run.end?.by === 'signal' && run.end.what === signal) return undefined
  // exit 130 and 141 look like signals, by sh.
  if (run.end?.by === 'code' && Number(run.end.what) === exitCode && (signal === 'INT' || signal === 'PIPE')) return undefined
  if (run.hurt.includes(signal)) return undefined
  // Verbs end it by the stop signal, which it may not survive, and by KILL.
  return isUntouched ? told : undefined
}

/** Where the text of the secret is and must not be. `from`: how far the server's log was read. */
export function checkSecrets(dataDir: string, serverLog: Buffer, objects: readonly unknown[]): readonly string[] {
  const wrong: string[] = []
  if (serverLog.includes(SECRET_TEXT)) wrong.push('the log of the server tells a secret')
  if (JSON.stringify(objects).includes(SECRET_TEXT)) wrong.push('an object tells a secret')
  const runs = join(dataDir, 'run')
  for (const uid of existsSync(runs) ? readdirSync(runs) : []) {
    if (uid.startsWith('.')) continue
    try {
      for (const file of readdirSync(join(runs, uid))) {
        if (/\.(sh|env)$|json$|note/.test(file) && readFileSync(join(runs, uid, file)).includes(SECRET_TEXT))
          wrong.push(`run/${uid}/${file} tells a secret`)
      }
    } catch {
      // A file of the server's own, or gone.
    }
  }
  return wrong
}
