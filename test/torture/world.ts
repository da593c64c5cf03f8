import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join, resolve } from 'node:path'
import nodeProcess from 'node:process'
import { ApiError } from '../../src/api/status.ts'
import type { HttpClient } from '../../src/client/http-client.ts'
import type { ConfigMap, Process } from '../../src/generated/types.ts'
import { cgroupBases } from '../../src/runtime/trees.ts'
import { type Acknowledged, Acting } from './acting.ts'
import { checkDeaths, checkProcesses, checkSecrets, checkUntouched, type Known, known, markedProcesses } from './checks.ts'
import { Figures } from './figures.ts'
import { Flood } from './flood.ts'
import { Follower } from './followers.ts'
import { describe, History, KINDS, keyOf } from './history.ts'
import { Keeper, pause } from './keeper.ts'
import { isAlive, Ledger } from './ledger.ts'
import { checkLog, LineReader } from './lines.ts'
import { CONFIGS, SECRET_TEXT, SECRETS, SLOTS, type Surroundings } from './manifests.ts'
import { type Disk, Place } from './place.ts'
import { type Blow, type Plan, planOf } from './plan.ts'
import { type Snapshot, unrest } from './settled.ts'
import { Visitor } from './visitors.ts'
import { MARK } from './wanted.ts'

const MAIN = resolve(import.meta.dirname, '../../dist/main.js')
/** The world has to be at rest after this long, with all that others do on the machine. */
const REST = 60_000
/** Of the server at rest, above what it takes: KiB in all, and for each change of the history that its memory holds. */
const MOST_RSS = 192 * 1024
const MOST_RSS_OF_CHANGE = 8
const MOST_CHANGES = 10_000
const MOST_FDS = 400

/** What is not as it was promised. */
export class Broken extends Error {
  override readonly name = 'Broken'
}

/** One server with its Processes, and everything that is done to it and known of it. */
export class World {
  readonly seed: number
  readonly place: Place
  readonly keeper: Keeper
  readonly figures: Figures = new Figures()
  readonly #ledger: Ledger
  readonly #problems: string[] = []
  readonly #actings: ReadonlyMap<string, Acting>
  readonly #stop = new AbortController()
  readonly #listener: Server
  #around: Surroundings | undefined
  #history: History | undefined
  #recorders: Promise<unknown> = Promise.resolve()
  /** Objects with which the history began. */
  readonly #before = new Map<string, Map<string, number>>()
  #acknowledged: Acknowledged[] = []
  #followers: Follower[] = []
  #known: ReadonlyMap<string, Known> = new Map()
  /** Processes and uids that something was done to in this round. */
  #disturbed = new Set<string>()
  readonly #lostShims = new Set<string>()
  #plan: Plan | undefined
  #over = true
  #logRead = 0
  #revisionSeen: { readonly revision: number; readonly at: number }[] = []

  constructor(options: { readonly seed: number; readonly disk: Disk }) {
    this.seed = options.seed
    this.place = new Place(options.disk)
    const failed = (what: string): void => void this.#problems.push(what)
    this.#ledger = new Ledger(this.place.scratch, failed)
    this.keeper = new Keeper({ dataDir: this.place.dataDir, log: this.#serverLog, ended: failed })
    this.#listener = createServer((socket) => socket.on('error', () => {}).end())
    this.#actings = new Map(
      SLOTS.map(({ name }) => [
        name,
        new Acting(name, {
          client: this.#client,
          main: MAIN,
          dataDir: this.place.dataDir,
          newest: () => this.#newest,
          acknowledge: (write) => this.#acknowledge(write),
          failed,
          over: () => this.#over,
        }),
      ]),
    )
  }

  get #serverLog(): string {
    return join(this.place.root, 'server.log')
  }

  get #client(): HttpClient {
    return this.keeper.client
  }

  get #newest(): number {
    return Math.max(this.#history?.newest ?? 0, this.#highest)
  }

  #highest = 0

  #acknowledge(write: Acknowledged): void {
    this.figures.acknowledged += 1
    if (write.after !== undefined && write.revision <= write.after)
      this.#problems.push(`${write.mark} was answered with revision ${write.revision}, and ${write.after} had been given out before`)
    this.#highest = Math.max(this.#highest, write.revision)
    this.#acknowledged.push(write)
  }

  /** The server, the objects that others refer to, and the watches. */
  async open(): Promise<void> {
    await new Promise<void>((done) => this.#listener.listen(0, '127.0.0.1', done))
    const address = this.#listener.address()
    this.#around = { scratch: this.place.scratch, port: typeof address === 'object' && address !== null ? address.port : 0 }
    this.keeper.spawn()
    await this.keeper.ready()
    for (const name of CONFIGS) await this.#client.for('ConfigMap').create({ ...meta('v1', 'ConfigMap', name), data: { a: '0' } })
    for (const name of SECRETS)
      await this.#client.for('Secret').create({ ...meta('v1', 'Secret', name), stringData: { password: `${SECRET_TEXT}-0` } })
    // Before the watches begin: what is there then belongs to the state that they begin with.
    let from = 0
    for (const kind of KINDS) {
      const { items, resourceVersion } = await this.#client.for(kind).list()
      this.#before.set(kind, new Map(items.map(({ metadata }) => [keyOf(metadata), Number(metadata.resourceVersion)])))
      from ||= Number(resourceVersion)
    }
    const history = new History({
      from,
      failed: (what) => void this.#problems.push(what),
      inspect: (object) => {
        const mark = object.metadata.annotations?.[MARK]
        const said = 'spec' in object ? (object.spec as { readonly description?: string }).description : undefined
        if (object.kind === 'Process' && mark !== said)
          this.#problems.push(`a write was torn: ${mark} and ${said} in ${object.metadata.name}`)
        if (object.kind === 'ConfigMap') Flood.inspect(object as ConfigMap, (what) => void this.#problems.push(what))
      },
    })
    this.#history = history
    this.#recorders = Promise.all(KINDS.map((kind) => history.record(this.#client, kind, this.#stop.signal)))
  }

  /** One round: plan, act, rest, check. Throws Broken. */
  async round(round: number): Promise<void> {
    try {
      await this.#round(round)
    } catch (err) {
      if (err instanceof Broken) throw err
      throw this.#broken([`the round broke off: ${(err as Error).stack}`])
    }
  }

  async #round(round: number): Promise<void> {
    const { place } = this
    if (this.#around === undefined || this.#history === undefined) throw new Error('The world is not open')
    const plan = planOf(this.seed, round, this.#around, { canFill: place.canFill })
    this.#plan = plan
    this.#over = false
    this.#disturbed = new Set()
    const begin = performance.now()
    const until = async (at: number): Promise<void> => pause(Math.max(0, begin + at - performance.now()))

    const flood = new Flood(this.#client, plan.flood, {
      newest: () => this.#newest,
      acknowledge: (write) => this.#acknowledge(write),
      over: () => this.#over,
      failed: (what) => void this.#problems.push(what),
    })
    const visitors: Visitor[] = []
    const visits = new AbortController()
    const deeds = [...plan.deeds].map(async ([name, steps]) => {
      for (const [index, { at, deed }] of steps.entries()) {
        await until(at)
        this.#disturb(name)
        await this.#actings.get(name)?.do(deed, `${name}.${round}.${index}`)
      }
    })
    const blows = (async () => {
      for (const { at, deed } of plan.blows) {
        await until(at)
        await this.#strike(deed, visitors, visits.signal)
      }
    })()
    const killing = round === 0 ? Promise.resolve() : this.#kill(plan, begin)
    await Promise.all([until(plan.length), ...deeds, blows, killing])
    this.#over = true
    await flood.done()
    this.place.free()

    await this.#rest()
    await this.#check(visitors, visits)
    this.figures.rounds += 1
    this.#wake()
  }

  async #kill({ kills, length }: Plan, begin: number): Promise<void> {
    for (const { after, ms, politely } of kills) {
      if (after === 'ready') await this.keeper.ready(REST)
      await pause(ms)
      if (performance.now() > begin + length) return
      // In an own end because of a full disk, too: then there is nobody to kill.
      await (politely ? this.keeper.stop() : this.keeper.kill())
      this.keeper.spawn()
      this.#ledger.read()
    }
  }

  #disturb(name: string): void {
    this.#disturbed.add(name)
    for (const slot of SLOTS) if (slot.after === name) this.#disturbed.add(slot.name)
  }

  async #strike(blow: Blow, visitors: Visitor[], signal: AbortSignal): Promise<void> {
    this.#ledger.read()
    switch (blow.type) {
      case 'killProgram': {
        const run = this.#ledger.newest().find(({ instance }) => instance === `${blow.slot}-${blow.index}`)
        if (run === undefined || !isAlive(run)) return
        this.#disturb(blow.slot)
        run.hurt.push(blow.signal)
        this.figures.programKills += 1
        signalTo(run.pid, `SIG${blow.signal}` as NodeJS.Signals)
        return
      }
      case 'killShim': {
        const run = this.#ledger.newest().find(({ instance }) => instance === `${blow.slot}-${blow.index}`)
        if (run === undefined) return
        const pid = shimPid(this.place.dataDir, run.uid)
        if (pid === undefined) return
        this.#disturb(blow.slot)
        this.#lostShims.add(run.uid)
        this.figures.shimKills += 1
        signalTo(pid, 'SIGKILL')
        return
      }
      case 'killLauncher': {
        const pid = launcherPid(this.place.dataDir)
        if (pid === undefined) return
        this.figures.launcherKills += 1
        signalTo(pid, 'SIGKILL')
        return
      }
      case 'fill':
        this.place.fill()
        this.figures.fills += 1
        await this.#readWhileFull()
        return
      case 'free':
        this.place.free()
        return
      case 'configure':
        await this.#configure(blow)
        return
      case 'visit': {
        const seen = this.#revisionSeen
        const old = blow.from === 'old' ? seen[Math.floor(seen.length / 2)] : undefined
        const place = old === undefined ? {} : { from: old.revision, seenAt: old.at }
        visitors.push(new Visitor(this.#client, { kind: blow.kind, ...place, slow: blow.slow }, signal))
        this.figures.visitors += 1
        return
      }
      case 'follow':
        await this.#follow(blow.slot)
        return
    }
  }

  /** A full disk keeps nobody from reading. */
  async #readWhileFull(): Promise<void> {
    const { pid } = this.keeper
    try {
      await this.#client.for('Process').list({ signal: AbortSignal.timeout(15_000) })
    } catch (err) {
      const isDown = err instanceof ApiError && err.status.code === 503
      if (!isDown && this.keeper.pid === pid) this.#problems.push(`a list on a full disk: ${(err as Error).message}`)
    }
  }

  async #configure({ kind, name, value }: Blow & { readonly type: 'configure' }): Promise<void> {
    for (const slot of SLOTS) if (slot.role === 'toy') this.#disturb(slot.name)
    const data = kind === 'ConfigMap' ? { data: { a: value } } : { stringData: { password: `${SECRET_TEXT}-${value}` } }
    // Without an answer it may have happened or not: the stored value counts.
    await this.#client
      .for(kind)
      .patch({ namespace: 'default', name }, { type: 'merge', value: data })
      .catch(() => undefined)
  }

  async #follow(slot: string): Promise<void> {
    if (this.#followers.some(({ instance, over }) => !over && instance.spec.process === slot)) return
    try {
      const instance = await this.#client.for('Instance').get({ namespace: 'default', name: `${slot}-0` })
      this.#followers.push(new Follower(this.#client, instance, this.#ledger, (what) => void this.#problems.push(what)))
      this.figures.followers += 1
    } catch {
      // No server at the moment.
    }
  }

  async #snapshot(): Promise<Snapshot> {
    const [processes, instances, configs] = await Promise.all([
      this.#client.for('Process').list(),
      this.#client.for('Instance').list(),
      this.#client.for('ConfigMap').list(),
    ])
    const byName = <T extends Process | ConfigMap>(items: readonly T[]): ReadonlyMap<string, T> =>
      new Map(items.map((item) => [item.metadata.name, item]))
    return { processes: byName(processes.items), instances: instances.items, configs: byName(configs.items) }
  }

  /** Waits until the world is what is stored. */
  async #rest(): Promise<void> {
    this.#calm()
    const begin = performance.now()
    if (this.keeper.pid === undefined) this.keeper.spawn()
    await this.keeper.ready()
    for (let quiet = 0; quiet < 2; ) {
      this.#ledger.read()
      const snapshot = await this.#snapshot()
      const reasons = unrest(snapshot, this.#ledger, this.#orphaned)
      if (reasons.length === 0) quiet += 1
      else {
        quiet = 0
        await this.#unpause(snapshot)
        if (this.#problems.length > 0) throw this.#broken([])
        if (performance.now() > begin + REST)
          throw this.#broken(
            reasons.map((reason) => `not at rest: ${reason}`),
            snapshot,
          )
      }
      await pause(100)
    }
    this.figures.rest(performance.now() - begin)
  }

  async #unpause({ instances }: Snapshot): Promise<void> {
    for (const { metadata, status } of instances) {
      if (status?.conditions?.some(({ type, status: value }) => type === 'Paused' && value === 'True') !== true) continue
      const path = `/apis/pmk.dev/v1/namespaces/default/instances/${metadata.name}/pause`
      const request = { method: 'POST', path, headers: { 'content-type': 'application/json' }, body: '{"paused":false}' } as const
      // Gone or dead since the look: the next one tells.
      await this.#client.request(request).catch(() => undefined)
    }
  }

  get #orphaned(): ReadonlySet<string> {
    return new Set([...this.#actings.values()].filter(({ orphaned }) => orphaned).map(({ name }) => name))
  }

  /** In this round. */
  get #hasFilled(): boolean {
    return this.#plan?.blows.some(({ deed }) => deed.type === 'fill') === true
  }

  async #check(visitors: readonly Visitor[], visits: AbortController): Promise<void> {
    const { dataDir } = this.place
    this.#ledger.read()
    const snapshot = await this.#snapshot()
    const found: string[] = []
    const history = this.#history
    if (history === undefined) throw new Error('The world is not open')
    const upTo = await this.#catchUp(history, visitors)
    visits.abort()
    const missing = history.missing(upTo)
    if (missing !== undefined) {
      if (this.#hasFilled) this.figures.revisionsLost += history.forgive(upTo)
      else found.push(`no watch told of revision ${missing}, and the store is at ${upTo}`)
    }
    for (const visitor of visitors) {
      const wrong = await visitor.verdict(history, upTo, this.#before.get(visitor.kind) ?? new Map())
      if (wrong !== undefined) found.push(wrong)
    }
    for (const { mark, key, revision } of this.#acknowledged) {
      const event = history.at(revision)
      if (event?.key !== key || event.mark !== mark)
        found.push(`${mark} was acknowledged as ${revision} of ${key}, and there is ${event === undefined ? 'nothing' : describe(event)}`)
    }
    this.#acknowledged = []
    for (const acting of this.#actings.values()) {
      if (this.#plan?.round === 0 && acting.wanted.present === false) continue
      found.push(...acting.wanted.reconcile(snapshot.processes.get(acting.name)).map((wrong) => `${acting.name}: ${wrong}`))
    }
    found.push(...checkProcesses(dataDir, snapshot, this.#ledger))
    found.push(...checkUntouched(snapshot, this.#known, this.#disturbed))
    found.push(...checkDeaths(snapshot, this.#ledger, this.#lostShims))
    found.push(...(await this.#checkLogs(snapshot)))
    found.push(...(await this.#checkServedLogs(snapshot)))
    found.push(...(await this.#checkFollowers()))
    const serverLog = readFileSync(this.#serverLog)
    found.push(...checkSecrets(dataDir, serverLog.subarray(this.#logRead), [...snapshot.processes.values(), ...snapshot.instances]))
    this.#logRead = serverLog.length
    found.push(...this.#checkBounds())
    if (found.length > 0 || this.#problems.length > 0) throw this.#broken(found, snapshot)
    this.#known = new Map(snapshot.instances.map((instance) => [instance.metadata.uid, known(instance)]))
    this.#revisionSeen = [...this.#revisionSeen.slice(-9), { revision: upTo, at: performance.now() }]
    this.figures.events = history.size
    this.figures.resumed = history.resumed
    this.figures.deaths = this.#ledger.deaths
    this.figures.starts = this.#ledger.starts
    this.figures.serverKills = this.keeper.kills
    this.figures.earlyKills = this.keeper.earlyKills
    this.figures.ownEnds = this.keeper.ownEnds
  }

  /** Waits until history and visitors have come as far as the store, and say the same. Gives the revision. */
  async #catchUp(history: History, visitors: readonly Visitor[]): Promise<number> {
    const deadline = performance.now() + 30_000
    for (;;) {
      const late: string[] = []
      let upTo = Number.POSITIVE_INFINITY
      for (const kind of KINDS) {
        const { items, resourceVersion } = await this.#client.for(kind).list()
        upTo = Math.min(upTo, Number(resourceVersion))
        const told = history.stateAt(kind, Number(resourceVersion), this.#before.get(kind) ?? new Map())
        const listed = new Map(items.map(({ metadata }) => [keyOf(metadata), Number(metadata.resourceVersion)]))
        for (const [key, revision] of listed)
          if (told.get(key) !== revision) late.push(`${kind} ${key} is at ${revision}, watches say ${told.get(key)}`)
        for (const [key, revision] of told) if (!listed.has(key)) late.push(`${kind} ${key} is not there, watches say ${revision}`)
      }
      for (const visitor of visitors) if (!visitor.hasReached(history, upTo)) late.push(`${visitor} is behind`)
      if (late.length === 0) return upTo
      if (performance.now() > deadline) throw this.#broken(late)
      await pause(50)
    }
  }

  async #checkLogs({ instances }: Snapshot): Promise<readonly string[]> {
    const found: string[] = []
    for (const { metadata, spec } of instances) {
      const { uid, name } = metadata
      if (!existsSync(join(this.place.dataDir, 'logs', uid, 'log'))) {
        if (this.#ledger.of(uid).length > 0) found.push(`${name} has no log`)
        continue
      }
      const { wrong, bytes } = await checkLog(this.place.dataDir, uid, this.#ledger)
      found.push(...wrong)
      this.figures.logBytes += bytes
      const bound = sizeOfLogs(join(this.place.dataDir, 'logs', uid))
      if (spec.process.startsWith('toy') && bound > 64 * 1024 * 4) found.push(`the log of ${name} takes ${bound} bytes`)
    }
    return found
  }

  /** What the API gives of this run and the one before, for one Instance of each round. */
  async #checkServedLogs({ instances }: Snapshot): Promise<readonly string[]> {
    const found: string[] = []
    const ran = instances.filter(({ metadata }) => this.#ledger.of(metadata.uid).length > 0)
    const instance = ran[(this.#plan?.round ?? 0) % Math.max(1, ran.length)]
    if (instance === undefined) return found
    const { name, uid } = instance.metadata
    for (const previous of [false, true]) {
      const path = `/apis/pmk.dev/v1/namespaces/default/instances/${name}/log`
      const answer = await this.#client.request({ method: 'GET', path, query: { previous } })
      const reader = new LineReader(this.#ledger, uid)
      const wrong = reader.feed(Buffer.from(await answer.text(), 'latin1'))
      found.push(...wrong.map((each) => `what the API gives of the log of ${name}${previous ? ' before' : ''}: ${each}`))
      const attempt = (instance.status?.attempt ?? 0) - (previous ? 1 : 0)
      const written = this.#ledger.lines(uid, attempt)
      const { position } = reader
      // Where attempts failed to start, the run before is another one.
      if (position.attempt !== attempt || position.line >= written) continue
      found.push(`the API gives ${position.line} of ${written} lines of attempt ${attempt} of ${name}`)
    }
    return found
  }

  async #checkFollowers(): Promise<readonly string[]> {
    const found: string[] = []
    const end = performance.now() + 20_000
    for (const follower of this.#followers) {
      const { instance } = follower
      // A program that was started while all are calm has written nothing yet.
      const newest = this.#ledger.of(instance.metadata.uid).findLast(({ uid, attempt }) => this.#ledger.lines(uid, attempt) > 0)
      const written = newest === undefined ? 0 : this.#ledger.lines(newest.uid, newest.attempt)
      const hasAll = (): boolean =>
        follower.over || newest === undefined || (follower.position.attempt === newest.attempt && follower.position.line >= written)
      while (!hasAll() && performance.now() < end) await pause(50)
      if (hasAll()) follower.hasCaughtUp = true
      else {
        const { attempt, line } = follower.position
        found.push(
          `a follower of ${instance.metadata.name} is at line ${line} of attempt ${attempt}, of ${written} of attempt ${newest?.attempt}`,
        )
      }
      // On a disk that is nearly full the archives go first.
      const notes = follower.takeNotes()
      if (notes > 0 && !this.#hasFilled) found.push(`a follower of ${instance.metadata.name} was told ${notes} times that lines are gone`)
      this.figures.followedBytes += follower.take()
    }
    this.#followers = this.#followers.filter(({ over }) => !over)
    while (this.#followers.length > 4) await this.#followers.shift()?.stop()
    return found
  }

  #checkBounds(): readonly string[] {
    const bounds = this.keeper.bounds()
    if (bounds === undefined) return []
    this.figures.maxRss = Math.max(this.figures.maxRss, bounds.rss)
    this.figures.maxFds = Math.max(this.figures.maxFds, bounds.fds)
    const mostRss = MOST_RSS + MOST_RSS_OF_CHANGE * Math.min(this.#history?.size ?? 0, MOST_CHANGES)
    return [
      ...(bounds.rss > mostRss ? [`the server takes ${bounds.rss} KiB`] : []),
      ...(bounds.fds > MOST_FDS ? [`the server has ${bounds.fds} descriptors open`] : []),
    ]
  }

  #calm(): void {
    execFileSync('touch', [join(this.place.scratch, 'calm')])
  }

  #wake(): void {
    execFileSync('rm', ['-f', join(this.place.scratch, 'calm')])
  }

  #broken(found: readonly string[], snapshot?: Snapshot): Broken {
    const lines = [...this.#problems, ...found]
    const names = new Set(lines.flatMap((line) => SLOTS.map(({ name }) => name).filter((name) => line.includes(name))))
    const concerned = (process: string): boolean => names.has(process)
    const objects =
      snapshot === undefined
        ? []
        : [
            ...[...snapshot.processes.values()].filter(({ metadata }) => concerned(metadata.name)),
            ...snapshot.instances.filter(({ spec }) => concerned(spec.process)),
          ].map((object) => JSON.stringify({ ...object, metadata: { ...object.metadata, managedFields: undefined } }))
    const runs = this.#ledger
      .newest()
      .filter(({ instance }) => [...names].some((name) => instance.startsWith(name)))
      .flatMap(({ uid }) => this.#ledger.of(uid).slice(-4))
      .map((run) => `${JSON.stringify(run)} ${isAlive(run) ? 'lives' : 'is dead'}`)
    const deeds = [...(this.#plan?.deeds ?? [])]
      .filter(([name]) => concerned(name))
      .map(([name, steps]) => `${name}: ${JSON.stringify(steps)}`)
    const picture = [
      ...lines,
      'Deeds of the round:',
      ...deeds,
      ...(this.#plan?.blows ?? []).map((step) => JSON.stringify(step)),
      'Ledger:',
      ...runs,
      'Objects:',
      ...objects,
      'Processes:',
      ...markedProcesses(this.place.dataDir, (uid) => this.#ledger.of(uid).length > 0).map((each) => JSON.stringify(each)),
    ]
    writeFileSync(join(this.place.root, 'picture'), `${picture.join('\n')}\n`)
    const shown = lines.slice(0, 20).map((line) => `- ${line.slice(0, 600)}`)
    const where = `in round ${this.#plan?.round} of seed ${this.seed}; all of it: ${join(this.place.root, 'picture')}`
    return new Broken([`${lines.length} things are not as promised, ${where}`, ...shown].join('\n'))
  }

  /** Deletes all, ends the server, and sees that nothing is left. Throws Broken. */
  async finish(): Promise<void> {
    for (const follower of this.#followers) await follower.stop()
    const { items } = await this.#client.for('Process').list()
    for (const { metadata } of items) await this.#client.for('Process').delete({ name: metadata.name, namespace: 'default' })
    const end = performance.now() + REST
    for (;;) {
      const left = await this.#snapshot()
      for (const { metadata, spec } of left.instances) {
        if (!left.processes.has(spec.process) && metadata.deletionTimestamp === undefined)
          await this.#client
            .for('Instance')
            .delete({ name: metadata.name, namespace: 'default' })
            .catch(() => undefined)
      }
      if (left.processes.size === 0 && left.instances.length === 0) break
      if (performance.now() > end)
        throw this.#broken(
          [...left.processes.keys(), ...left.instances.map(({ metadata }) => metadata.name)].map((name) => `${name} is not deleted`),
          left,
        )
      await pause(100)
    }
    const group = cgroupBases(this.place.dataDir).find((each) => each.exists())
    await this.keeper.stop()
    this.#stop.abort()
    await this.#recorders
    this.#ledger.read()
    const problems: string[] = []
    const late = performance.now() + 10_000
    for (;;) {
      problems.length = 0
      problems.push(
        ...markedProcesses(this.place.dataDir, (uid) => this.#ledger.of(uid).length > 0).map(
          (each) => `left behind: ${JSON.stringify(each)}`,
        ),
      )
      problems.push(...(group?.children() ?? []).filter(({ name }) => !name.startsWith('.')).map(({ path }) => `left behind: ${path}`))
      const runs = readdirSync(join(this.place.dataDir, 'run'), { withFileTypes: true })
      problems.push(
        ...runs.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.')).map(({ name }) => `left behind: run/${name}`),
      )
      if (problems.length === 0 || performance.now() > late) break
      await pause(100)
    }
    if (problems.length > 0 || this.#problems.length > 0) throw this.#broken(problems)
  }

  /** Leaves nothing running, whatever state it is in. `keep`: the files stay. */
  async close(options: { readonly keep: boolean }): Promise<void> {
    this.#over = true
    this.#stop.abort()
    for (const follower of this.#followers) await follower.stop()
    await this.keeper.kill()
    await this.#client.close()
    this.#listener.close()
    for (let tries = 0; tries < 50; tries++) {
      this.#ledger.read()
      const left = markedProcesses(this.place.dataDir, (uid) => this.#ledger.of(uid).length > 0)
      if (left.length === 0) break
      for (const { pid } of left) signalTo(pid, 'SIGKILL')
      await pause(20)
    }
    const group = cgroupBases(this.place.dataDir).find((each) => each.exists())
    if (!options.keep) this.place.remove()
    for (let tries = 0; tries < 50 && group?.remove() === false; tries++) await pause(20)
  }
}

function meta<K extends string>(
  apiVersion: 'v1',
  kind: K,
  name: string,
): { readonly apiVersion: 'v1'; readonly kind: K; readonly metadata: { readonly name: string; readonly namespace: string } } {
  return { apiVersion, kind, metadata: { name, namespace: 'default' } }
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    nodeProcess.kill(pid, signal)
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'ESRCH') throw err
  }
}

/** The shim of an Instance, if its record names one that lives. */
function shimPid(dataDir: string, uid: string): number | undefined {
  try {
    const pid = Number(readFileSync(join(dataDir, 'run', uid, 'shim'), 'latin1').split(' ')[0])
    return pid > 1 && readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('pmk-launcher') ? pid : undefined
  } catch {
    return undefined
  }
}

function launcherPid(dataDir: string): number | undefined {
  try {
    const { pid } = JSON.parse(readFileSync(join(dataDir, 'run', 'launcher.json'), 'utf8')) as { readonly pid: number }
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('pmk-launcher') ? pid : undefined
  } catch {
    return undefined
  }
}

/** What they take on the disk: a punched log looks larger than it is. */
function sizeOfLogs(directory: string): number {
  return readdirSync(directory).reduce(
    (sum, file) => sum + (statSync(join(directory, file), { throwIfNoEntry: false })?.blocks ?? 0) * 512,
    0,
  )
}
