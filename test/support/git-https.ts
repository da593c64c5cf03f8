import { spawn } from 'node:child_process'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import nodeProcess from 'node:process'
import { issueServer, makeAuthority } from '../../src/pki/certificates.ts'
import { AN_HOUR } from './tls-access.ts'

export interface GitHttpsOptions {
  /** Directory with the repositories. */
  readonly root: string
  /** `user:password` that is asked for. */
  readonly basic?: string
  /** Where all requests are sent on to. */
  readonly redirect?: string
}

/** The system's git-http-backend behind TLS on loopback, with an authority of its own. */
export class GitHttps {
  /** Of the authority, PEM. */
  readonly authority: string
  readonly url: string
  /** Of each request: its URL and the credentials that it had. */
  readonly requests: { readonly url: string; readonly authorization: string | undefined }[] = []
  readonly #server: Server

  private constructor(server: Server, authority: string) {
    this.#server = server
    this.authority = authority
    this.url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  static async start(options: GitHttpsOptions): Promise<GitHttps> {
    const authority = await makeAuthority('test git-ca', AN_HOUR())
    const { certificate, key } = await issueServer(authority, ['127.0.0.1'], AN_HOUR())
    const handlers: ((request: IncomingMessage, response: ServerResponse) => void)[] = []
    const server = createServer({ cert: certificate, key }, (request, response) => handlers[0]?.(request, response))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const git = new GitHttps(server, authority.certificate)
    handlers.push((request, response) => git.#answer(request, response, options))
    return git
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #answer(request: IncomingMessage, response: ServerResponse, { root, basic, redirect }: GitHttpsOptions): void {
    const { url = '', headers, method = 'GET' } = request
    this.requests.push({ url, authorization: headers.authorization })
    if (redirect !== undefined) {
      response.writeHead(302, { location: `${redirect}${url}` }).end()
      return
    }
    if (basic !== undefined && headers.authorization !== `Basic ${Buffer.from(basic).toString('base64')}`) {
      // A server may say anything, even what it was told.
      response.writeHead(401, { 'www-authenticate': 'Basic realm="test"' }).end(`no entry with ${headers.authorization}`)
      return
    }
    const [path = '', query = ''] = url.split('?')
    const child = spawn('git', ['http-backend'], {
      env: {
        PATH: nodeProcess.env.PATH,
        GIT_PROJECT_ROOT: root,
        GIT_HTTP_EXPORT_ALL: '1',
        GIT_CONFIG_NOSYSTEM: '1',
        PATH_INFO: path,
        QUERY_STRING: query,
        REQUEST_METHOD: method,
        CONTENT_TYPE: headers['content-type'],
        HTTP_CONTENT_ENCODING: headers['content-encoding'],
        GIT_PROTOCOL: headers['git-protocol'] as string | undefined,
        REMOTE_ADDR: '127.0.0.1',
      },
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    const chunks: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.stdin.on('error', () => {})
    request.pipe(child.stdin)
    child.on('close', () => {
      const whole = Buffer.concat(chunks)
      const end = whole.indexOf('\r\n\r\n')
      const lines = whole.toString('latin1', 0, end).split('\r\n')
      const fields = lines.map((line) => line.split(/: (.*)/s)).map(([name = '', value = '']) => [name, value] as const)
      const status = fields.find(([name]) => name === 'Status')?.[1] ?? '200'
      response.writeHead(Number.parseInt(status, 10), Object.fromEntries(fields.filter(([name]) => name !== 'Status')))
      response.end(whole.subarray(end + 4))
    })
  }
}
