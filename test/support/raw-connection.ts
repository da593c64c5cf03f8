import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { eventually } from './eventually.ts'

/** A connection on which everything is done by hand, as bad clients do it. Nothing is read until somebody says so. */
export class RawConnection {
  readonly socket: Socket
  text = ''
  closed = false
  /** The other side has said all that it will. */
  ended = false

  /** With `keepsOpen` it doesn't close its side when the server has closed its own. */
  constructor(socketPath: string, { keepsOpen = false }: { readonly keepsOpen?: boolean } = {}) {
    this.socket = connect({ path: socketPath, allowHalfOpen: keepsOpen })
    this.socket.pause()
    this.socket.on('error', () => {})
    this.socket.on('end', () => {
      this.ended = true
    })
    this.socket.on('close', () => {
      this.closed = true
    })
  }

  write(text: string): this {
    this.socket.write(text, 'latin1')
    return this
  }

  read(): this {
    if (this.socket.listenerCount('data') > 0) return this
    this.socket.on('data', (chunk: Buffer) => {
      this.text += chunk.toString('latin1')
    })
    this.socket.resume()
    return this
  }

  /** The status line has come, and says this. */
  async answered(code: number): Promise<void> {
    this.read()
    await eventually(() => assert.match(this.text, new RegExp(`^HTTP/1.1 ${code} `)))
  }
}
