import { mkdir, realpath, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Git } from './git-command.ts'

/** What git is told of a remote, and what of it nobody may read elsewhere. */
export interface GitLogin {
  /** Texts that must not get into messages. */
  readonly secrets: readonly string[]
}

/**
 * Writes the configuration that git has while it speaks with a remote: nothing that runs a program of anybody, the one protocol of
 * the URL, and the credentials, which arguments and environments would show to others. For the owner of the directory only; the
 * caller removes it (`git.login`) afterwards, and what a killed server left is replaced. `keys`: of the Secret, decoded.
 */
export async function writeLogin(git: Git, url: string, keys: ReadonlyMap<string, string>): Promise<GitLogin> {
  await rm(git.login, { recursive: true, force: true })
  await mkdir(git.login, { recursive: true, mode: 0o700 })
  const put = async (name: string, text: string): Promise<string> => {
    const path = join(git.login, name)
    await writeFile(path, text, { mode: 0o600, flag: 'wx' })
    return path
  }
  const config: string[] = [...ALWAYS, `[protocol "${protocolOf(url)}"]`, 'allow = always']
  const secrets: string[] = []
  if (url.startsWith('file://')) for (const path of await placesOf(url)) config.push('[safe]', `directory = ${quoted(path)}`)
  const password = withoutNewline(keys.get('password'))
  if (url.startsWith('https://') && password !== undefined) {
    const basic = Buffer.from(`${withoutNewline(keys.get('username')) ?? 'git'}:${password}`).toString('base64')
    config.push(`[http ${quoted(url)}]`, `extraHeader = ${quoted(`Authorization: Basic ${basic}`)}`)
    // They would be sent on to wherever a redirect leads.
    config.push('[http]', 'followRedirects = false')
    if (password !== '') secrets.push(password)
    secrets.push(basic)
  }
  const authority = keys.get('ca.crt')
  if (authority !== undefined) config.push('[http]', `sslCAInfo = ${quoted(await put('ca.crt', authority))}`)
  config.push('[core]', `sshCommand = ${quoted(await sshCommand(keys, put))}`)
  await put('gitconfig', `${config.join('\n')}\n`)
  return { secrets }
}

const ALWAYS: readonly string[] = [
  '[core]',
  'hooksPath = /dev/null',
  'fsmonitor = false',
  'bigFileThreshold = 16m',
  '[gc]',
  'auto = 0',
  '[maintenance]',
  'auto = false',
  // One pack for each fetch, and thus one file that is bounded.
  '[fetch]',
  'unpackLimit = 1',
  'writeCommitGraph = false',
  'recurseSubmodules = false',
  '[pack]',
  'threads = 1',
  '[http]',
  // A remote that says nothing for so many seconds is as good as gone.
  'lowSpeedLimit = 1',
  'lowSpeedTime = 60',
  '[protocol]',
  'allow = never',
]

/** Without an identity the keys of the server's own user are used, as they are for its ssh. */
async function sshCommand(keys: ReadonlyMap<string, string>, put: (name: string, text: string) => Promise<string>): Promise<string> {
  // A connection that is shared would outlive the fetch.
  const options = ['BatchMode=yes', 'ConnectTimeout=20', 'ControlMaster=no', 'ControlPath=none', 'StrictHostKeyChecking=yes']
  const identity = keys.get('identity')
  const knownHosts = keys.get('known_hosts')
  if (identity !== undefined || knownHosts !== undefined)
    options.push(`UserKnownHostsFile="${await put('known_hosts', knownHosts ?? '')}"`, 'GlobalKnownHostsFile=/dev/null')
  const words = ['ssh']
  if (identity !== undefined) {
    words.push('-F', '/dev/null', '-i', await put('identity', identity.endsWith('\n') ? identity : `${identity}\n`))
    options.push('IdentitiesOnly=yes', 'IdentityAgent=none')
  }
  return [...words, ...options.flatMap((option) => ['-o', option])].map(shellWord).join(' ')
}

function protocolOf(url: string): string {
  return /^(https|file):\/\//.exec(url)?.[1] ?? 'ssh'
}

/**
 * Where the repository of a file:// URL may lie. git refuses those of other users, for their configuration could name programs; its
 * upload-pack, which is what we run there, heeds none of these, so that reading is safe.
 */
async function placesOf(url: string): Promise<readonly string[]> {
  const path = decodeURIComponent(url.slice('file://'.length)).replace(/\/+$/, '')
  const found: string[] = []
  for (const place of [path, `${path}/.git`, `${path}.git`, `${path}.git/.git`]) found.push(place, await realpath(place).catch(() => place))
  return [...new Set(found)]
}

/** Files that became Secrets end with one. */
function withoutNewline(text: string | undefined): string | undefined {
  return text?.replace(/\r?\n$/, '')
}

function shellWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/** As git-config has it. */
function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`
}
