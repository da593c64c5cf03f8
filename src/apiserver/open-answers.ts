import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** The answers of each connection that are not all sent yet: more than one when requests came without waiting for answers. */
export class OpenAnswers {
  readonly #open = new WeakMap<Socket, Set<ServerResponse>>()

  add(response: ServerResponse): void {
    const { socket } = response.req
    const open = this.#open.get(socket) ?? this.#follow(socket)
    open.add(response)
    response.once('close', () => open.delete(response))
  }

  on(socket: Socket): readonly ServerResponse[] {
    return [...(this.#open.get(socket) ?? [])]
  }

  /** Node tells only the answer whose turn it is that its connection has closed. Those behind it would be under way for ever. */
  #follow(socket: Socket): Set<ServerResponse> {
    const open = new Set<ServerResponse>()
    this.#open.set(socket, open)
    socket.once('close', () => {
      for (const response of [...open]) {
        response.destroy()
        response.emit('close')
      }
    })
    return open
  }
}
