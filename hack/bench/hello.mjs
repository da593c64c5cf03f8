// The floor of every request: an HTTP server on a unix socket that does nothing.
import process from 'node:process'
import { fastify } from 'fastify'

const app = fastify()
app.put('/', () => ({ hello: 'world' }))
await app.listen({ path: process.argv[2] })
