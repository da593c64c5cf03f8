import assert from 'node:assert/strict'
import nodeProcess from 'node:process'
import { test } from 'node:test'
import { parseDuration } from '../../../src/base/duration.ts'
import { seededRandom } from '../../../src/base/random.ts'
import type { Instance } from '../../../src/generated/types.ts'
import { PolicyWorld, PROBE, type Template } from '../../support/policy-world.ts'

/** PMK_SEED replays one life; without it there are many, from a printed seed on. */
const REPLAY = nodeProcess.env.PMK_SEED
const LIVES = Number(nodeProcess.env.PMK_LIVES ?? 40)
const STEPS = 120

test('whatever happens to an Instance, the policy keeps its promises', (context) => {
  const first = REPLAY === undefined ? Math.floor(Math.random() * 1e9) : Number(REPLAY)
  context.diagnostic(`seeds ${first} to ${first + (REPLAY === undefined ? LIVES : 1) - 1}; replay one with PMK_SEED`)
  for (let seed = first; seed < first + (REPLAY === undefined ? LIVES : 1); seed++) {
    const life = new Life(seed)
    try {
      life.live()
    } catch (err) {
      throw new Error(`PMK_SEED=${seed}: ${err instanceof Error ? err.message : err}\n${life.story.slice(-25).join('\n')}`, { cause: err })
    }
  }
})

class Life {
  readonly story: string[] = []
  readonly #random: () => number
  readonly #world: PolicyWorld
  readonly #operations: readonly (readonly [weight: number, name: string, run: () => void])[]
  /** Since when dependencies are unmet and the Instance could otherwise start. */
  #met: boolean
  /** The last death or failed launch: when, and on how many in a row. */
  #lastEnd: { readonly at: number; readonly count: number; readonly launch: boolean } | undefined
  /** The next start was asked for by somebody: no wait is due. */
  #asked = true

  constructor(seed: number) {
    this.#random = seededRandom(seed)
    const template = this.#template()
    this.#world = new PolicyWorld({
      template,
      spec: { desiredState: this.#chance(0.8) ? 'Running' : 'Stopped', suspend: this.#chance(0.1) },
    })
    this.#met = template.dependsOn === undefined
    this.#world.diesOf = this.#chance(0.7) ? ['TERM'] : []
    this.#world.onStart = () => this.#checkStart()
    this.#operations = this.#allOperations()
  }

  live(): void {
    const world = this.#world
    this.story.push(JSON.stringify(world.instance.spec.template))
    this.#do('look', () => world.depend(this.#met))
    for (let step = 0; step < STEPS && world.instance.metadata.deletionTimestamp === undefined; step++) this.#something()
    if (world.instance.metadata.deletionTimestamp === undefined && this.#chance(0.5)) this.#endsRunning()
    else this.#endsDeleted()
  }

  #something(): void {
    const total = this.#operations.reduce((sum, [weight]) => sum + weight, 0)
    let pick = this.#random() * total
    for (const [weight, name, run] of this.#operations) {
      pick -= weight
      if (pick < 0) {
        this.#do(name, run)
        return
      }
    }
  }

  #do(name: string, run: () => void): void {
    const world = this.#world
    world.clear()
    run()
    this.story.push(
      `${Math.round(world.monotonic)} ${name} -> ${world.done.join(', ')} [${world.standing?.phase} ${world.standing?.reason}, wait ${world.wait}]`,
    )
    this.#checkRest()
  }

  #allOperations(): readonly (readonly [number, string, () => void])[] {
    const world = this.#world
    const alive = (run: () => void) => () => {
      if (world.run?.state === 'running') run()
    }
    const asks = (run: () => void) => () => {
      this.#asked = true
      run()
    }
    return [
      [14, 'pass', () => world.pass(Math.floor(this.#random() ** 4 * 100_000))],
      [4, 'pass to the next look', () => world.pass(world.wait ?? 0)],
      [12, 'exit', alive(() => this.#death(() => world.exit(this.#exit(), this.#chance(0.2))))],
      [2, 'leftovers go', () => world.leftoversGo()],
      [4, 'stop', () => world.set({ desiredState: 'Stopped' })],
      [
        7,
        'start',
        () => {
          // Only a change of mind is a request.
          if (world.instance.spec.desiredState !== 'Running' || !world.memory.wanted) this.#asked = true
          world.set({ desiredState: 'Running' })
        },
      ],
      [3, 'suspend', () => world.set({ suspend: true })],
      [5, 'resume', () => world.set({ suspend: false })],
      [1, 'suspend for a while', () => world.set({ suspend: true, suspendUntil: new Date(Date.parse(world.now) + 30_000).toISOString() })],
      [2, 'restart', asks(() => world.ask('restartedAt'))],
      [2, 'rolling restart', asks(() => world.ask('rolloutRestartedAt'))],
      [2, 'new revision', asks(() => world.set({ revision: `web-${world.instance.metadata.generation}` }))],
      [3, 'probe', () => this.#probe()],
      [4, 'hook ends', () => this.#hookEnds()],
      [3, 'agent restarts', () => world.restartAgent({ whileAway: () => this.#whileAway() })],
      [2, 'agent is killed', asks(() => world.killAgent())],
      [1, 'machine restarts', asks(() => world.reboot())],
      [
        1,
        'wall clock jumps',
        () => {
          world.jump((this.#random() - 0.5) * 1e9)
          world.look()
        },
      ],
      [3, 'dependency changes', () => this.#dependency()],
      [
        1,
        'launch breaks',
        () => {
          world.startError = { reason: 'CommandNotFound', message: 'gone' }
        },
      ],
      [
        3,
        'launch works',
        () => {
          world.startError = undefined
        },
      ],
      [
        1,
        'ignores TERM',
        () => {
          world.diesOf = []
        },
      ],
      [
        2,
        'obeys TERM',
        () => {
          world.diesOf = ['TERM']
        },
      ],
      [0.3, 'delete', () => world.delete(this.#chance(0.3) ? Math.floor(this.#random() * 20) : undefined)],
    ]
  }

  /** Held at every start: it is wanted, allowed and due, and nothing else of it is alive (the world itself sees to the last). */
  #checkStart(): void {
    const world = this.#world
    const { metadata, spec } = world.instance
    assert.equal(metadata.deletionTimestamp, undefined, 'started although deleted')
    assert.equal(spec.desiredState, 'Running', 'started while not wanted')
    const suspended = spec.suspend && (spec.suspendUntil === undefined || Date.parse(world.now) < Date.parse(spec.suspendUntil))
    assert.equal(suspended, false, 'started while suspended')
    const unmet = (spec.template.dependsOn ?? []).filter((_, index) => world.dependencies[index]?.met !== true)
    assert.ok(
      unmet.every(({ timeout }) => timeout !== undefined),
      'started although a dependency without a timeout is not met',
    )
    if (['RetryAfterGivingUp', 'DependencyRestarted'].includes(world.memory.starting?.cause.cause ?? '')) this.#asked = true
    this.#checkBackoff(spec.template)
    if (this.#asked) this.#lastEnd = undefined
    this.#asked = false
    if (world.startError !== undefined) this.#lastEnd = { at: world.monotonic, count: (this.#lastEnd?.count ?? 0) + 1, launch: true }
  }

  /** A start after deaths in a row comes neither before the wait that is due nor, by the plan itself, after the longest one. */
  #checkBackoff({ backoff }: Template): void {
    const last = this.#lastEnd
    if (last === undefined || this.#asked || backoff === undefined) return
    const count = last.launch ? last.count : last.count - 1
    if (count < 1) return
    const exact = Math.min(duration(backoff.max), duration(backoff.initial) * backoff.factor ** Math.min(count - 1, 100))
    const waited = this.#world.monotonic - last.at
    assert.ok(
      waited >= exact * (1 - backoff.jitter) - 1,
      `started ${waited} ms after failure ${last.count}, before the ${exact} ms that were due`,
    )
  }

  /** Held whenever the policy rests. */
  #checkRest(): void {
    const world = this.#world
    const { wait, standing, memory } = world
    if (wait !== undefined) {
      assert.ok(wait > 0, 'the policy looks again at once')
      const { backoff } = world.instance.spec.template
      if (standing?.reason === 'CrashLoopBackOff')
        assert.ok(wait <= duration(backoff.max) * (1 + backoff.jitter) + 1, `a wait of ${wait} ms is longer than the longest`)
    }
    assert.ok(memory.transitions.length <= 20)
    assert.ok(JSON.stringify(memory).length < 16_384, 'the note is too long')
    if (world.run?.state === 'running' && world.memory.stop === undefined)
      assert.equal(world.memory.run?.attempt, Number(world.run.id.split('.').at(-1)))
    if (standing?.phase === 'Stopped') assert.equal(world.alive, false, 'Stopped although something is alive')
    if (standing?.phase === 'Running') assert.equal(world.run?.state, 'running')
  }

  #death(end: () => void): void {
    const world = this.#world
    const run = world.run
    if (run === undefined) return
    const lived = world.monotonic - run.startedAtMonotonic
    const asked = world.memory.stop !== undefined && !world.memory.stop.reason.endsWith('Failed')
    const long = lived >= duration(world.instance.spec.template.backoff.resetAfter)
    const before = this.#asked || long ? 0 : (this.#lastEnd?.count ?? 0)
    if (asked) this.#lastEnd = undefined
    else this.#lastEnd = { at: world.monotonic, count: before + 1, launch: false }
    end()
  }

  #whileAway(): void {
    const world = this.#world
    if (world.run?.state === 'running' && this.#chance(0.3))
      this.#death(() => world.die(this.#chance(0.5) ? { code: 1 } : { signal: 'KILL' }))
    if (this.#chance(0.3)) {
      const { spec } = world.instance
      const desiredState: Instance['spec']['desiredState'] = this.#chance(0.5) ? 'Running' : 'Stopped'
      if (desiredState !== spec.desiredState && desiredState === 'Running') this.#asked = true
      world.instance = { ...world.instance, spec: { ...spec, desiredState } }
    }
  }

  #probe(): void {
    const world = this.#world
    const probing = world.last?.probing ?? []
    const name = probing[Math.floor(this.#random() * probing.length)]
    if (name === undefined || world.run?.state !== 'running') return
    const passing = this.#chance(0.7)
    if (passing || name === 'readiness') {
      world.verdict(name, passing)
      return
    }
    // A failing one may lead to a death at once, which then counts from now.
    const { id } = world.run
    const before = this.#lastEnd
    this.#death(() => world.verdict(name, passing))
    if (world.run?.id === id && world.run.state === 'running') this.#lastEnd = before
  }

  #hookEnds(): void {
    const world = this.#world
    if (world.activity === undefined) return
    const ok = this.#chance(0.8)
    if (!ok && world.activity.key.startsWith('preStart')) {
      this.#lastEnd = { at: world.monotonic, count: (this.#asked ? 0 : (this.#lastEnd?.count ?? 0)) + 1, launch: true }
      this.#asked = false
    }
    world.hook(ok)
  }

  #dependency(): void {
    if (this.#world.instance.spec.template.dependsOn === undefined) return
    this.#met = this.#chance(0.6)
    this.#world.depend(this.#met, { db: 1 + Math.floor(this.#random() * 3) })
  }

  /** Left in peace, what is wanted and allowed runs in the end. */
  #endsRunning(): void {
    const world = this.#world
    world.startError = undefined
    world.diesOf = ['TERM']
    this.#asked = true
    this.#do('calm', () => {
      world.depend(true, { db: 9 })
      const { suspendUntil: _, ...spec } = world.instance.spec
      world.instance = { ...world.instance, spec }
      world.set({ suspend: false, desiredState: 'Running', restartedAt: `calm ${world.now}` })
    })
    for (let turn = 0; turn < 40; turn++) {
      if (world.activity !== undefined) this.#do('hook ends', () => world.hook(true))
      else this.#do('pass', () => world.pass(10_000))
      if (world.last?.probing.includes('startup')) this.#do('probe', () => world.verdict('startup', true))
    }
    assert.equal(world.run?.state, 'running', 'it is wanted and allowed, and does not run')
    assert.equal(world.memory.stop, undefined)
  }

  /** A deletion ends with nothing left, whatever the program does. */
  #endsDeleted(): void {
    const world = this.#world
    if (world.instance.metadata.deletionTimestamp === undefined) this.#do('delete', () => world.delete())
    for (let turn = 0; turn < 60 && !world.done.includes('forget'); turn++) {
      if (world.activity !== undefined) this.#do('hook ends', () => world.hook(true))
      else this.#do('pass', () => world.pass(10_000))
    }
    assert.ok(world.done.includes('forget'), 'a deleted Instance is never forgotten')
    assert.equal(world.run, undefined)
  }

  #exit(): { readonly code: number } | { readonly signal: string } | { readonly unknown: 'ShimLost' } {
    const pick = this.#random()
    if (pick < 0.3) return { code: 0 }
    if (pick < 0.7) return { code: 1 + Math.floor(this.#random() * 200) }
    return pick < 0.95 ? { signal: this.#chance(0.5) ? 'KILL' : 'SEGV' } : { unknown: 'ShimLost' }
  }

  #template(): Template {
    const hook = { exec: { command: ['hook'] as const }, timeout: '5s' }
    const hooks = (): { readonly [key: string]: readonly (typeof hook)[] } =>
      Object.fromEntries(['preStart', 'postStart', 'preStop', 'postStop'].flatMap((name) => (this.#chance(0.3) ? [[name, [hook]]] : [])))
    return {
      restartPolicy: this.#pick(['Always', 'Always', 'OnFailure', 'Never']),
      successExitCodes: this.#pick([[0], [0, 1], [0, 'KILL']]),
      backoff: {
        initial: this.#pick(['0s', '200ms', '1s']),
        factor: this.#pick([1, 2, 3.5]),
        max: this.#pick(['1s', '10s', '1m']),
        jitter: this.#pick([0, 0.1, 1]),
        resetAfter: this.#pick(['1s', '10s']),
      },
      restartLimit: {
        count: this.#pick([0, 0, 2, 5]),
        window: this.#pick(['10s', '1m']),
        action: 'GiveUp',
        ...(this.#chance(0.5) ? { retryAfter: '30s' } : {}),
      },
      startDelay: this.#pick(['0s', '0s', '3s']),
      terminationGracePeriodSeconds: this.#pick([0, 5, 10]),
      killScope: this.#pick(['Tree', 'Group', 'Main']),
      ...(this.#chance(0.3)
        ? {
            stopSteps: [
              { signal: 'QUIT', wait: '2s' },
              { exec: hook.exec, wait: '3s' },
            ],
          }
        : {}),
      ...(this.#chance(0.4) ? { lifecycle: hooks() } : {}),
      ...(this.#chance(0.3) ? { startupProbe: PROBE } : {}),
      ...(this.#chance(0.3) ? { readinessProbe: PROBE } : {}),
      ...(this.#chance(0.3) ? { livenessProbe: PROBE } : {}),
      ...(this.#chance(0.15) ? { forking: { pidFile: '/run/x.pid' } } : {}),
      ...(this.#chance(0.3)
        ? {
            dependsOn: [
              {
                name: 'db',
                kind: 'Process',
                condition: 'Ready',
                onRestart: this.#pick(['Ignore', 'Restart']),
                ...(this.#chance(0.3) ? { timeout: '20s' } : {}),
              },
            ],
          }
        : {}),
    }
  }

  #pick<T>(values: readonly T[]): T {
    return values[Math.floor(this.#random() * values.length)] as T
  }

  #chance(share: number): boolean {
    return this.#random() < share
  }
}

function duration(text: string): number {
  return parseDuration(text) ?? 0
}
