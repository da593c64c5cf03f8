import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Attributes } from '../access/attributes.ts'
import type { StatusReason } from '../api/status.ts'
import type { Clock, Millis, Timestamp } from '../base/clock.ts'
import type { UserInfo } from '../registry/registry.ts'

/** Takes lines of JSON, each with its newline. Never throws, and keeps nobody waiting. */
export interface AuditSink {
  write(line: string): void
}

/** What is learned of a request while it is carried out. */
export interface AuditNotes {
  readonly user?: UserInfo
  /** Who is really there, when `user` is somebody that they act for. */
  readonly impersonatedBy?: string
  /** Of an object whose name isn't in the path. */
  readonly name?: string
  readonly dryRun?: boolean
}

interface Entry extends AuditNotes {
  readonly id: string
  readonly time: Timestamp
  readonly begun: Millis
  readonly wanted: Attributes
  readonly source: string
  readonly userAgent: string
  /** Whom the sender wants to act for, whether that is allowed or not. */
  readonly asked: string | undefined
}

const WRITES = new Set(['POST', 'PUT', 'PATCH', 'DELETE'])

/** Questions that are put as writes, and change nothing. */
const QUESTIONS = new Set(['authorization.k8s.io', 'authentication.k8s.io'])

/** What clients chose themselves is cut to this length. */
const MAX_TEXT = 256

/** Requests that came from nobody known are told of one by one up to this number a second: they must not push everything else out of the log. */
const STRANGERS_A_SECOND = 20

/**
 * Tells of each write that a client asked for: who, what, when and how it ended. Nothing of bodies, queries or credentials, whatever the
 * client wrote where.
 */
export class AuditTrail {
  readonly #sink: AuditSink
  readonly #clock: Clock
  readonly #open = new WeakMap<IncomingMessage, Entry>()
  #strangers = 0
  #omitted = 0
  #window: (() => void) | undefined

  constructor({ sink, clock }: { readonly sink: AuditSink; readonly clock: Clock }) {
    this.#sink = sink
    this.#clock = clock
  }

  /** Gives a write its id, which the client is told as `Audit-Id`. `wantedBy` says what the request is about. */
  begin(request: IncomingMessage, response: ServerResponse, wantedBy: () => Attributes): void {
    const { method = '', socket, headers } = request
    if (!WRITES.has(method)) return
    const wanted = wantedBy()
    if (wanted.type === 'resource' && QUESTIONS.has(wanted.group)) return
    const id = randomUUID()
    response.setHeader('Audit-Id', id)
    this.#open.set(request, {
      id,
      time: this.#clock.now(),
      begun: this.#clock.monotonic(),
      wanted,
      source: socket.remoteAddress ?? 'unix',
      userAgent: headers['user-agent'] ?? '',
      asked: headers['impersonate-user']?.toString(),
    })
  }

  /** Adds to what is known; later notes win. Nothing happens for a request that isn't told of. */
  note(request: IncomingMessage, notes: AuditNotes): void {
    const entry = this.#open.get(request)
    if (entry !== undefined) this.#open.set(request, { ...entry, ...notes })
  }

  /** With what the client is told. The first call counts. */
  end(request: IncomingMessage, code: number, reason?: StatusReason): void {
    const entry = this.#open.get(request)
    if (entry === undefined) return
    this.#open.delete(request)
    if (entry.user === undefined && !this.#admitStranger()) return
    this.#sink.write(lineOf(entry, code, reason, this.#clock.monotonic() - entry.begun))
  }

  close(): void {
    this.#window?.()
    this.#tellOmitted()
  }

  #admitStranger(): boolean {
    this.#window ??= this.#clock.schedule(1_000, () => this.#tellOmitted())
    if (this.#strangers < STRANGERS_A_SECOND) {
      this.#strangers += 1
      return true
    }
    this.#omitted += 1
    return false
  }

  #tellOmitted(): void {
    const omitted = this.#omitted
    this.#window = undefined
    this.#strangers = 0
    this.#omitted = 0
    if (omitted > 0) this.#sink.write(`${JSON.stringify({ time: this.#clock.now(), omitted, reason: 'TooManyWithoutUser' })}\n`)
  }
}

/** What a line says of what the request is about. What is absent is left out. */
const PARTS = ['group', 'resource', 'subresource', 'namespace', 'name', 'path'] as const

function lineOf(entry: Entry, code: number, reason: StatusReason | undefined, duration: Millis): string {
  const { time, id, wanted, user, impersonatedBy, asked, dryRun, source, userAgent } = entry
  const about: { readonly [Part in (typeof PARTS)[number]]?: string | undefined } =
    wanted.type === 'path' ? { path: wanted.path } : { ...wanted, name: wanted.name || entry.name }
  const line = JSON.stringify({
    time,
    id,
    verb: wanted.verb,
    ...Object.fromEntries(PARTS.map((part) => [part, cut(about[part])])),
    dryRun: dryRun || undefined,
    user: cut(user?.name),
    groups: user?.groups,
    impersonatedBy,
    // It was refused before it was carried out in that name.
    wantsToBe: impersonatedBy === undefined ? cut(asked) : undefined,
    source,
    userAgent: cut(userAgent),
    code,
    reason,
    durationMs: Math.round(duration * 10) / 10,
  })
  return `${line.includes('pmk_') ? withoutTokens(line) : line}\n`
}

function cut(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text
}

/** People paste tokens where names belong. */
function withoutTokens(line: string): string {
  return line.replaceAll(/pmk_([^_"\s]{1,253})_[0-9a-fA-F]{8,}/g, 'pmk_$1_…')
}
