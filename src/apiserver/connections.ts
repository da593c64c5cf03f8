import type { Server } from 'node:http'
import type { Server as SecureServer } from 'node:https'
import type { Socket } from 'node:net'
import { limitFor } from './limits.ts'

/** Connections beyond the limit, so that a crowded server can still be asked how it is. */
const HEALTH_CONNECTIONS = 50

/** Counts the open connections of all listeners, from before their handshakes on. */
export class Connections {
  readonly #limit: number
  readonly #crowded = new WeakSet<Socket>()
  #local = 0
  #remote = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  get open(): number {
    return this.#local + this.#remote
  }

  /** One too many costs those that are idle their place, and may ask for the server's health; far too many are cut. */
  add(server: Server | SecureServer, socket: Socket, isLocal: boolean): void {
    const limit = limitFor(this.#limit, isLocal)
    // Those that only ask for the health take none of what is kept for the unix socket.
    const open = isLocal ? this.#local + Math.min(this.#remote, limitFor(this.#limit, false)) : this.open
    if (open >= limit + HEALTH_CONNECTIONS) {
      socket.destroy()
      return
    }
    if (open >= limit) {
      this.#crowded.add(socket)
      server.closeIdleConnections()
    }
    this.#count(isLocal, 1)
    socket.once('close', () => this.#count(isLocal, -1))
  }

  #count(isLocal: boolean, one: 1 | -1): void {
    if (isLocal) this.#local += one
    else this.#remote += one
  }

  /** What is read from the connection below is now read from the one above. */
  pass(below: Socket, above: Socket): void {
    if (this.#crowded.has(below)) this.#crowded.add(above)
  }

  isCrowded(socket: Socket): boolean {
    return this.#crowded.has(socket)
  }
}
