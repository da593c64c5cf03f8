import { accessSync, constants, statSync, writeFileSync } from 'node:fs'
import { isAbsolute, join, resolve } from 'node:path'
import { checkDnsSubdomain } from '../api/names.ts'
import { definitionOf, type JsonSchema } from '../api/scheme.ts'
import { CliError } from './cli-error.ts'
import type { Io } from './io.ts'
import { defineVerb, type Verb } from './verb.ts'

export const verb: Verb = defineVerb({
  usage: 'init NAME [flags] -- COMMAND [ARGUMENTS]',
  description: 'Writes a manifest for a command line: what it takes to have it kept running. It is printed, or written to -f.',
  examples: [
    'pmk init web -- python3 -m http.server 8000',
    'pmk init web --port 8000 -f web.yaml -- python3 -m http.server 8000',
    'pmk init tick -- sh -c "while sleep 1; do date; done" | pmk apply -f -',
  ],
  flags: {
    filename: { type: 'string', short: 'f', placeholder: 'FILE', help: 'Write to this file; one that is there is left alone' },
    force: { type: 'boolean', help: 'Write over a file that is there' },
    replicas: { type: 'integer', placeholder: 'N', help: 'How many Instances' },
    port: { type: 'integer', placeholder: 'PORT', help: 'It is ready once it accepts connections on this port' },
    user: { type: 'string', placeholder: 'USER', help: 'The user it runs as' },
    env: { type: 'strings', short: 'e', placeholder: 'NAME=VALUE', help: 'A variable of its environment; may be given again' },
    dir: { type: 'string', placeholder: 'DIR', help: 'Its working directory (default: this one)' },
  },
  async run({ ctx, args, rest, flags }) {
    const [name, ...more] = args
    const command = rest ?? []
    if (name === undefined || command.length === 0 || more.length > 0) {
      throw new CliError('a name, and after -- the command: pmk init web -- python3 -m http.server', { usage: true })
    }
    const definition = definitionOf('Process')
    const wrong = checkDnsSubdomain(name, definition.maxNameLength)
    if (wrong !== undefined) throw new CliError(`"${name}" can't be the name of a Process: ${wrong}`)
    const dir = resolve(ctx.io.cwd, flags.dir ?? '.')
    const lines = [
      'apiVersion: pmk.dev/v1',
      'kind: Process',
      'metadata:',
      `  name: ${quoted(name)}`,
      ...(ctx.namespaceGiven ? [`  namespace: ${quoted(ctx.namespace)}`] : []),
      'spec:',
      ...(flags.replicas === undefined ? [] : [`  replicas: ${flags.replicas}`]),
      `  command: [${[locate(command[0] ?? '', dir, ctx.io), ...command.slice(1)].map(quoted).join(', ')}]`,
      `  workingDir: ${quoted(dir)}`,
      ...(flags.user === undefined ? [] : ['  securityContext:', `    runAsUser: ${quoted(flags.user)}`]),
      ...(flags.env.length === 0 ? [] : ['  env:', ...flags.env.map(variable)]),
      ...(flags.port === undefined ? [] : ['  readinessProbe:', `    tcpSocket: {port: ${flags.port}}`]),
    ]
    const text = `${lines.join('\n')}\n`
    if (flags.filename === undefined || flags.filename === '-') ctx.io.write(text)
    else writeFile(resolve(ctx.io.cwd, flags.filename), text, flags.force, ctx.io)
    return 0
  },
})

function variable(text: string): string {
  const equals = text.indexOf('=')
  if (equals <= 0) throw new CliError(`--env ${text}: must be NAME=VALUE`, { usage: true })
  return `    - {name: ${quoted(text.slice(0, equals))}, value: ${JSON.stringify(text.slice(equals + 1))}}`
}

/** The command as the server will find it: a bare name stays one if it is where the server looks, else its path is written. */
function locate(command: string, dir: string, io: Io): string {
  if (isAbsolute(command)) return command
  if (command.includes('/')) return resolve(dir, command)
  const searchPath = searchPathOf()
  if (searchPath.some((place) => isProgram(join(place, command)))) return command
  const found = (io.env.PATH ?? '').split(':').find((place) => isAbsolute(place) && isProgram(join(place, command)))
  if (found !== undefined) return join(found, command)
  io.warn(`Warning: ${command} was not found, neither in ${searchPath.join(', ')} nor in your PATH\n`)
  return command
}

function searchPathOf(): readonly string[] {
  const spec: JsonSchema | undefined = definitionOf('Process').schema.properties?.spec
  return (spec?.properties?.searchPath?.default as readonly string[] | undefined) ?? []
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === undefined) throw err
    return false
  }
}

/** Plain where YAML takes it for the same text, in double quotes otherwise. */
function quoted(text: string): string {
  const plain =
    /^[A-Za-z/_.-][A-Za-z0-9/_.=+@%-]*$/.test(text) && !/^(true|false|null|yes|no|on|off|y|n|~|\.inf|\.nan|-+|\.+|---.*|-)$/i.test(text)
  return plain && !/^[-.]?[0-9.]/.test(text) ? text : JSON.stringify(text)
}

function writeFile(path: string, text: string, force: boolean, io: Io): void {
  try {
    writeFileSync(path, text, { flag: force ? 'w' : 'wx' })
  } catch (err) {
    const { code, message } = err as NodeJS.ErrnoException
    throw new CliError(code === 'EEXIST' ? `${path} is there already; --force writes over it` : message, { cause: err })
  }
  io.warn(`Wrote ${path}; start it with: pmk apply -f ${path}\n`)
}
