import assert from 'node:assert/strict'
import { definitions, keptDefinitions, type ResourceDefinition } from '../../src/api/scheme.ts'
import { validateObject } from '../../src/api/validate.ts'
import { seededRandom } from '../../src/base/random.ts'
import { type Known, randomRequest } from './api-requests.ts'
import type { ApiServerProcess } from './api-server-process.ts'
import { Dice } from './spoil.ts'
import { exchange, type WireAnswer, type WireRequest } from './wire.ts'

/** Between two looks at all that is stored. */
const CHECK_EVERY = 150
/** A watch, or a log that is followed, is read for so long. */
const STREAM_READ_MILLIS = 30
/** No request of this size and sort holds the loop for longer, unless the machine is very busy. */
const MOST_CPU_MILLIS = 5_000
const REMEMBERED = 50

/**
 * Sends one made up request after another and looks after each whether the server is as it should be: it lives, has answered in
 * time and in form, says no 500, and has changed nothing when it refused. What it stores it can validate, list, read and delete.
 */
export class ApiFuzzer {
  readonly #server: ApiServerProcess
  readonly #dice: Dice
  readonly #tokens: string[] = []
  readonly #versions: string[] = []
  readonly counts: Map<number, number> = new Map()
  #cases = 0
  #revision = ''
  #cpuMillis = 0

  constructor(server: ApiServerProcess, seed: number) {
    this.#server = server
    this.#dice = new Dice(seededRandom(seed))
  }

  get cases(): number {
    return this.#cases
  }

  /** Until `isOver` says so, which is asked before each request. */
  async run(isOver: () => boolean): Promise<void> {
    await this.#send({
      method: 'POST',
      path: '/api/v1/namespaces',
      body: '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"fuzz"}}',
    })
    await this.#look()
    while (!isOver()) {
      const known: Known = { tokens: this.#tokens, versions: this.#versions }
      const request = randomRequest(this.#dice, known)
      this.#cases += 1
      try {
        await this.#step(request)
        if (this.#cases % CHECK_EVERY === 0) await this.checkStored()
      } catch (err) {
        throw new Error(`case ${this.#cases}: ${describe(request)}\n${(err as Error).message}`, { cause: err })
      }
    }
    await this.checkStored()
  }

  async #step(request: WireRequest): Promise<void> {
    const before = { revision: this.#revision, cpuMillis: this.#cpuMillis }
    const answer = await this.#send(request)
    this.counts.set(answer.status, (this.counts.get(answer.status) ?? 0) + 1)
    const { failures } = await this.#look()
    assert.deepEqual(failures, [], 'the server logged an error')
    assert.ok(this.#cpuMillis - before.cpuMillis < MOST_CPU_MILLIS, `it took ${this.#cpuMillis - before.cpuMillis} ms of processor time`)
    checkForm(request, answer)
    const mayWrite = answer.status < 300 && !['GET', 'HEAD'].includes(request.method) && !/[?&]dryRun=All(&|$)/.test(request.path)
    // A refused deletion of many may have deleted some: it promises no more.
    if (!mayWrite && request.method !== 'DELETE')
      assert.equal(this.#revision, before.revision, `${answer.status}, and something was written`)
    this.#remember(answer)
  }

  /** Everything that is stored, and every view of it, is valid, and is read as it is listed. */
  async checkStored(): Promise<void> {
    for (const definition of definitions.filter(({ verbs }) => verbs.includes('watch'))) {
      for (const item of await this.#list(definition)) {
        const { namespace, name } = item.metadata
        const path = itemPath(definition, namespace, name)
        assert.deepEqual(validateObject(definition, item), [], `${path} is stored, and invalid`)
        const read = await this.#send({ method: 'GET', path })
        assert.equal(read.status, 200, `${path} is listed, and can't be read: ${read.text}`)
        assert.deepEqual(JSON.parse(read.text), item)
      }
    }
    assert.equal(({} as { polluted?: unknown }).polluted, undefined)
  }

  /** Everything that is stored can be deleted, by who takes its finalizers off. */
  async deleteAll(): Promise<void> {
    for (const definition of [...keptDefinitions].sort((a, b) => Number(a.kind === 'Namespace') - Number(b.kind === 'Namespace'))) {
      for (const { metadata } of await this.#list(definition)) {
        const path = itemPath(definition, metadata.namespace, metadata.name)
        const gone = await this.#send({ method: 'DELETE', path: `${path}?gracePeriodSeconds=0&propagationPolicy=Background` })
        assert.ok(gone.status === 200 || (definition.kind === 'Namespace' && gone.status === 403), `${path}: ${gone.text}`)
        await this.#send({
          method: 'PATCH',
          path,
          headers: { 'content-type': 'application/merge-patch+json' },
          body: '{"metadata":{"finalizers":null}}',
        })
      }
      if (definition.kind !== 'Namespace') assert.deepEqual(await this.#list(definition), [], `there are ${definition.plural} left`)
    }
    const { failures } = await this.#look()
    assert.deepEqual(failures, [], 'the server logged an error')
  }

  async #list(definition: ResourceDefinition): Promise<readonly Item[]> {
    const { group, version, plural } = definition
    const answer = await this.#send({ method: 'GET', path: `${group === '' ? '/api/' : `/apis/${group}/`}${version}/${plural}` })
    assert.equal(answer.status, 200, answer.text.slice(0, 500))
    return JSON.parse(answer.text).items
  }

  #send(request: WireRequest): Promise<WireAnswer> {
    const isStream = /[?&](watch|follow)=/.test(request.path)
    return exchange(this.#server.socketPath, request, { within: 30_000, ...(isStream ? { readFor: STREAM_READ_MILLIS } : {}) }).catch(
      async (err: Error) => {
        // Tells one that hangs or has died from one that cut the connection.
        const { failures } = await this.#server.ask('look', 2_000)
        throw new Error(`${err.message}: ${failures.join('\n')}`)
      },
    )
  }

  async #look(): Promise<{ readonly failures: readonly string[] }> {
    const { revision, cpuMillis, failures } = await this.#server.ask('look', 30_000)
    this.#revision = revision
    this.#cpuMillis = cpuMillis
    return { failures }
  }

  #remember({ text }: WireAnswer): void {
    const token = /"continue":"([^"]+)"/.exec(text)?.[1]
    if (token !== undefined) keep(this.#tokens, token)
    const version = /"resourceVersion":"(\d+)"/.exec(text)?.[1]
    if (version !== undefined) keep(this.#versions, version)
  }
}

interface Item {
  readonly metadata: { readonly name: string; readonly namespace?: string }
}

function itemPath({ group, version, plural }: ResourceDefinition, namespace: string | undefined, name: string): string {
  const base = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
  return `${base}${namespace === undefined ? '' : `/namespaces/${namespace}`}/${plural}/${encodeURIComponent(name)}`
}

function keep(list: string[], text: string): void {
  list.push(text)
  if (list.length > REMEMBERED) list.shift()
}

/** A Status for every refusal, and what the content type says for everything else. */
function checkForm({ method, path }: WireRequest, { status, headers, text, complete }: WireAnswer): void {
  assert.ok(status < 500 || status === 504, `${status}: ${text.slice(0, 1_000)}`)
  const type = headers['content-type'] ?? ''
  if (method === 'HEAD' || status === 304) {
    assert.equal(text, '')
    return
  }
  if (status >= 400) {
    const said = JSON.parse(text)
    assert.equal(said.kind, 'Status', text.slice(0, 500))
    assert.equal(said.status, 'Failure')
    assert.equal(said.code, status)
    assert.equal(typeof said.reason, 'string')
    assert.equal(typeof said.message, 'string')
    return
  }
  if (!type.startsWith('application/json')) return
  // Streams are lines of JSON, of which the last may have been cut.
  const isStream = /[?&]watch=/.test(path) || path.includes('/action')
  const lines = isStream ? text.split('\n').slice(0, complete ? undefined : -1) : [text]
  for (const line of lines) if (line !== '') JSON.parse(line)
}

function describe({ method, path, headers, body }: WireRequest): string {
  const text = body === undefined ? '' : typeof body === 'string' ? body : `base64 ${Buffer.from(body).toString('base64')}`
  return `${method} ${path}\n${JSON.stringify(headers)}\n${text.length > 4_000 ? `${text.slice(0, 4_000)}… (${text.length})` : text}`
}
