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
  const alive = (): TextAnswer => text(200, 'ok')
  const store = (): TextAnswer => answerTo(storeRefusal() === undefined, [storeRefusal() ?? ''])
  const readiness = ({ query }: Pick<ApiRequest, 'query'>): TextAnswer => {
    const { ok, reasons } = ready()
    const refusal = query.getAll('exclude').includes('store') ? undefined : storeRefusal()
    return answerTo(ok && refusal === undefined, refusal === undefined ? reasons : [...reasons, refusal])
  }
  const routes: readonly Route[] = [
    { path: '/version', methods: { GET: () => jsonAnswer(versionDocument(version)) } },
    { path: '/healthz', methods: { GET: alive } },
    { path: '/livez', methods: { GET: alive } },
    { path: '/readyz', methods: { GET: readiness } },
    { path: '/healthz/:check', methods: { GET: ({ parameters }) => check(parameters.check, { ping: alive }) } },
    { path: '/livez/:check', methods: { GET: ({ parameters }) => check(parameters.check, { ping: alive }) } },
    {
      path: '/readyz/:check',
      methods: { GET: (request) => check(request.parameters.check, { ping: alive, ready: () => readiness(request), store }) },
    },
  ]
  return routes.map((route) => ({ ...route, vital: true, public: true }))
}

function check(name: string | undefined, checks: Readonly<Record<string, () => TextAnswer>>): TextAnswer {
  const run = name !== undefined && Object.hasOwn(checks, name) ? checks[name] : undefined
  if (run === undefined) throw apiError('NotFound', NO_SUCH_PATH, {})
  return run()
}

function answerTo(ok: boolean, reasons: readonly string[]): TextAnswer {
  return ok ? text(200, 'ok') : text(500, `not ready: ${reasons.join('; ') || 'starting'}\n`)
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
