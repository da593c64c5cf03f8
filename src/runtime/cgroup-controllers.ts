import type { Cgroup } from './cgroup.ts'
import { SERVER_LEAF } from './cgroup-places.ts'
import { hasCode } from './state-dir.ts'

export const CONTROLLERS = ['cpu', 'memory', 'pids'] as const
export type Controller = (typeof CONTROLLERS)[number]

export interface ControllersOptions {
  /** The group whose children are to have controllers. */
  readonly base: Cgroup
  /** The highest group that may be changed. */
  readonly top: Cgroup
  /** The group that this process is in. */
  readonly own: Cgroup | undefined
  /** Why none may be handed down here, where that is so. */
  readonly forbidden: string | undefined
  /** Controllers that another hierarchy holds. */
  readonly elsewhere: ReadonlySet<string>
}

/**
 * Hands controllers down to the groups of Instances. That the kernel schedules by groups changes how `nice` works between them, so
 * the one for processor time is handed down when the first limit asks for it; the others cost next to nothing.
 */
export class Controllers {
  readonly #options: ControllersOptions
  readonly #missing = new Map<Controller, string>()
  readonly #enabled = new Set<Controller>()

  constructor(options: ControllersOptions) {
    this.#options = options
  }

  /** Hands down what costs nothing, and finds out about the rest. */
  async open(): Promise<void> {
    await this.enable('memory')
    await this.enable('pids')
    const { base, forbidden } = this.#options
    if (lists(base, 'cgroup.subtree_control', 'cpu')) this.#enabled.add('cpu')
    else {
      const why = forbidden ?? this.#obstacle(base, 'cpu')
      if (why !== undefined) this.#missing.set('cpu', why)
    }
  }

  /** Whether children of the base have it now. */
  has(controller: Controller): boolean {
    return this.#enabled.has(controller)
  }

  /** Why this host can't have it; undefined when it can. */
  missing(controller: Controller): string | undefined {
    return this.#missing.get(controller)
  }

  /** False: it can't be had. */
  async enable(controller: Controller): Promise<boolean> {
    if (this.#enabled.has(controller)) return true
    if (this.#missing.has(controller)) return false
    const { base, forbidden } = this.#options
    const isThere = lists(base, 'cgroup.subtree_control', controller)
    const why = isThere ? undefined : (forbidden ?? (await this.#handDown(base, controller)))
    if (why === undefined) this.#enabled.add(controller)
    else this.#missing.set(controller, why)
    return why === undefined
  }

  /** Why it can't be done, as far as can be seen without doing it. */
  #obstacle(group: Cgroup, controller: Controller): string | undefined {
    const { top, elsewhere } = this.#options
    if (lists(group, 'cgroup.subtree_control', controller)) return undefined
    if (!group.isWritable('cgroup.subtree_control'))
      return `${group.path} is not the server's to hand the ${controller} controller down from`
    if (lists(group, 'cgroup.controllers', controller)) return undefined
    if (elsewhere.has(controller)) return `the ${controller} controller belongs to cgroup v1 on this host`
    if (group.path === top.path) return `the ${controller} controller is not handed down to ${group.path}`
    return this.#obstacle(group.parent, controller)
  }

  /** Gives why it can't be done. */
  async #handDown(group: Cgroup, controller: Controller): Promise<string | undefined> {
    const { own } = this.#options
    const obstacle = this.#obstacle(group, controller)
    if (obstacle !== undefined || lists(group, 'cgroup.subtree_control', controller)) return obstacle
    if (!lists(group, 'cgroup.controllers', controller)) {
      const why = await this.#handDown(group.parent, controller)
      if (why !== undefined) return why
    }
    try {
      await group.write('cgroup.subtree_control', `+${controller}`)
    } catch (err) {
      const isBusy = hasCode(err, 'EBUSY') && group.path === own?.path
      if (!isBusy) return `the ${controller} controller can't be handed down from ${group.path}: ${messageOf(err)}`
      return this.#afterMovingOut(group, controller)
    }
    return undefined
  }

  /** A group that hands controllers down can't have processes itself. */
  async #afterMovingOut(group: Cgroup, controller: Controller): Promise<string | undefined> {
    try {
      await moveOut(group)
      await group.write('cgroup.subtree_control', `+${controller}`)
      return undefined
    } catch (err) {
      return `the ${controller} controller can't be handed down from ${group.path}, in which the server runs: ${messageOf(err)}`
    }
  }
}

async function moveOut(group: Cgroup): Promise<void> {
  const leaf = group.child(SERVER_LEAF)
  leaf.create()
  // Those that are forked meanwhile are born in the old place.
  for (let rounds = 0; rounds < 10; rounds++) {
    const pids = group.ownPids()
    if (pids.length === 0) return
    for (const pid of pids) {
      await leaf.add(pid).catch((err: unknown) => {
        if (!hasCode(err, 'ESRCH')) throw err
      })
    }
  }
}

function lists(group: Cgroup, file: string, controller: Controller): boolean {
  return group.read(file)?.split(' ').includes(controller) === true
}

function messageOf(err: unknown): string {
  return err instanceof Error ? err.message : String(err)
}
