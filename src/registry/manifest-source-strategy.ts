import { forbiddenField, invalidField, requiredField } from '../api/field-errors.ts'
import { checkDnsLabel } from '../api/names.ts'
import type { Cause } from '../api/status.ts'
import type { Millis } from '../base/clock.ts'
import { parseDuration } from '../base/duration.ts'
import type { ManifestSource } from '../generated/types.ts'
import type { Strategy } from './strategy.ts'

const SHORTEST_INTERVAL: Millis = 1_000

export const manifestSourceStrategy: Strategy<ManifestSource> = {
  validate({ metadata, spec }) {
    const causes: Cause[] = []
    if (spec.path === undefined && spec.git === undefined)
      causes.push(requiredField('spec.path', 'a directory, or spec.git for a repository'))
    if (spec.path !== undefined && spec.git !== undefined)
      causes.push(forbiddenField('spec.git', 'spec.path is given, too; leave one of them out'))
    if (spec.path?.split('/').includes('..') === true) causes.push(invalidField('spec.path', spec.path, 'must not contain ".."'))
    if ((parseDuration(spec.interval) ?? 0) < SHORTEST_INTERVAL)
      causes.push(invalidField('spec.interval', spec.interval, 'must be at least 1s'))
    if ((parseDuration(spec.timeout) ?? 0) < SHORTEST_INTERVAL)
      causes.push(invalidField('spec.timeout', spec.timeout, 'must be at least 1s'))
    if (spec.targetNamespace !== undefined && checkDnsLabel(spec.targetNamespace) !== undefined)
      causes.push(invalidField('spec.targetNamespace', spec.targetNamespace, checkDnsLabel(spec.targetNamespace) ?? ''))
    spec.dependsOn?.forEach(({ name, namespace = metadata.namespace }, index) => {
      if (name === metadata.name && namespace === metadata.namespace)
        causes.push(invalidField(`spec.dependsOn[${index}].name`, name, 'a source can not wait for itself'))
    })
    return [...causes, ...checkGit(spec.git)]
  },
}

/** `git@host:path`. A colon before an at sign would be a password, which ssh takes none of. */
const SCP_LIKE = /^(?:[A-Za-z0-9_][A-Za-z0-9._-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*:[^:@\s-][^@\s]*$/

function checkGit(git: ManifestSource['spec']['git']): readonly Cause[] {
  if (git === undefined) return []
  const { url, ref, path } = git
  const causes: Cause[] = []
  const refs = (['branch', 'tag', 'commit'] as const).filter((name) => ref[name] !== undefined)
  if (refs.length > 1) causes.push(forbiddenField(`spec.git.ref.${refs[1]}`, `${refs[0]} is given, too; leave one of them out`))
  for (const name of ['branch', 'tag'] as const) {
    const value = ref[name]
    if (value !== undefined && !isRefName(value)) causes.push(invalidField(`spec.git.ref.${name}`, value, 'is no name that git takes'))
  }
  if (path.startsWith('/') || path.split('/').includes('..'))
    causes.push(invalidField('spec.git.path', path, 'must lie in the repository: relative, without ".."'))
  const refusal = refusalOfUrl(url)
  // A password that stands there by mistake must not get into a message.
  if (refusal !== undefined) causes.push(invalidField('spec.git.url', withoutUser(url), refusal))
  return causes
}

function refusalOfUrl(url: string): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what must not reach git or a terminal.
  if (/[\s\u0000-\u001f\u007f-\u009f]/.test(url) || url.startsWith('-')) return 'is no address of a repository'
  if (!url.includes('://')) return SCP_LIKE.test(url) ? undefined : 'must begin with https://, ssh:// or file://, or be user@host:path'
  let parsed: URL
  try {
    parsed = new URL(url)
  } catch {
    return 'is no address of a repository'
  }
  // git takes them in lower case only.
  if (!/^(https|ssh|file):\/\//.test(url)) return 'must begin with https://, ssh:// or file://, or be user@host:path'
  if (parsed.password !== '') return 'must hold no password; it belongs into a Secret, see spec.git.secretRef'
  if (parsed.protocol === 'https:' && parsed.username !== '')
    return 'must hold no user or token; they belong into a Secret, see spec.git.secretRef'
  if (parsed.protocol === 'file:' && !/^file:\/\/\/[^/]/.test(url)) return 'a file:// address has no host: file:///srv/repository.git'
  if (parsed.protocol !== 'file:' && /^-|^$/.test(parsed.hostname)) return 'names no host'
  if (!isDecodable(parsed.pathname)) return 'is no address of a repository: % must be followed by two digits'
  return undefined
}

function isDecodable(path: string): boolean {
  try {
    return !decodeURIComponent(path).includes('\0')
  } catch {
    return false
  }
}

/** Without all that might be a user or a password, however it is written. */
function withoutUser(url: string): string {
  return url.replace(/^([a-z]+:\/\/)?.*@/is, '$1')
}

/** The rules of git-check-ref-format, as far as they keep a name from being anything else. */
function isRefName(name: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what git refuses.
  if (name === '' || /[\u0000-\u0020~^:?*[\\\u007f]|\.\.|@\{|\/\/|\/$|\.$|^\/|^-|^@$/.test(name)) return false
  return name.split('/').every((part) => !part.startsWith('.') && !part.endsWith('.lock'))
}
