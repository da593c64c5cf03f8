import { arch, platform } from 'node:os'
import { versions } from 'node:process'
import { apiError } from '../api/status.ts'
import { type ApiRequest, jsonAnswer, type Route, type TextAnswer } from './route.ts'
import { NO_SUCH_PATH } from './status-errors.ts'

export interface Readiness {
  readonly ok: boolean
  /** Why not, a sentence each. */
  readonly reasons: readonly string[]
}

/** The Kubernetes whose API this is: clients compare it with their own version. */
const KUBERNETES = { major: '1', minor: '33', patch: '0' }

/** Go's names of the machines that Node runs on. */
const GO_ARCH: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' }

/** Whether the server lives, whether it can serve (`?exclude=store`: leaving aside whether it can write), and what it is. */
export function healthRoutes(version: string, ready: () => Readiness, storeRefusal: () => string | undefined): readonly Route[] {
  const ping = (): Finding => undefined
  const store = (): Finding => storeRefusal()
  const readiness = (): Finding => {
    const { ok, reasons } = ready()
    return ok ? undefined : reasons.join('; ') || 'starting'
  }
  const lives = { ping }
  const serves = { ping, ready: readiness, store }
  const routes: readonly Route[] = [
    { path: '/version', methods: { GET: () => jsonAnswer(versionDocument(version)) } },
    ...checkRoutes('healthz', lives, 'not well'),
    ...checkRoutes('livez', lives, 'not alive'),
    ...checkRoutes('readyz', serves, 'not ready'),
  ]
  return routes.map((route) => ({ ...route, public: true }))
}

/** What is wrong; undefined: nothing. */
type Finding = string | undefined
type Checks = Readonly<Record<string, () => Finding>>

/** All checks at one path, without those that `exclude` names, and each at a path of its own. `?verbose` tells of each. */
function checkRoutes(name: string, checks: Checks, failure: string): readonly Route[] {
  const all = ({ query }: ApiRequest): TextAnswer => {
    const left = query.getAll('exclude')
    const found = Object.entries(checks).map(([check, run]) => ({ check, finding: left.includes(check) ? undefined : run() }))
    const failed = found.filter(({ finding }) => finding !== undefined)
    const code = failed.length === 0 ? 200 : 500
    if (query.has('verbose')) {
      const lines = found.map(({ check, finding }) => (finding === undefined ? `[+]${check} ok` : `[-]${check} failed: ${finding}`))
      return text(code, [...lines, `${name} check ${code === 200 ? 'passed' : 'failed'}`, ''].join('\n'))
    }
    return code === 200 ? text(200, 'ok') : text(500, `${failure}: ${failed.map(({ finding }) => finding).join('; ')}\n`)
  }
  const one = ({ parameters: { check = '' } }: ApiRequest): TextAnswer => {
    const run = Object.hasOwn(checks, check) ? checks[check] : undefined
    if (run === undefined) throw apiError('NotFound', NO_SUCH_PATH, {})
    const finding = run()
    return finding === undefined ? text(200, 'ok') : text(500, `${failure}: ${finding}\n`)
  }
  return [
    { path: `/${name}`, methods: { GET: all } },
    { path: `/${name}/:check`, methods: { GET: one } },
  ]
}

function text(code: number, body: string): TextAnswer {
  return { code, contentType: 'text/plain; charset=utf-8', text: body }
}

function versionDocument(version: string): object {
  const { major, minor, patch } = KUBERNETES
  return {
    major,
    minor,
    gitVersion: `v${major}.${minor}.${patch}+pmk.${version}`,
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: `node${versions.node}`,
    compiler: 'node',
    platform: `${platform()}/${GO_ARCH[arch()] ?? arch()}`,
  }
}
