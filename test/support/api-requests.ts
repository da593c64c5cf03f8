import { definitions, type JsonSchema, type ResourceDefinition } from '../../src/api/scheme.ts'
import { isJsonObject } from '../../src/base/json.ts'
import { type Dice, oddity, oddText, sampleOf, spoil, spoilText } from './spoil.ts'
import type { WireRequest } from './wire.ts'

export interface Known {
  /** Things that the server said before, to be sent back, whole or altered. */
  readonly tokens: readonly string[]
  readonly versions: readonly string[]
}

const NAMES: readonly string[] = ['a', 'a', 'a', 'b', 'web-0']
const NAMESPACES: readonly string[] = ['default', 'default', 'default', 'default', 'default', 'default', 'fuzz', 'none']
const METHODS: readonly string[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'TRACE', 'LINK', 'PURGE']
const SUBRESOURCES: readonly string[] = [
  'status',
  'scale',
  'log',
  'signal',
  'action',
  'reload',
  'usage',
  'exec',
  '..',
  '%2e%2e',
  'status/x',
]
const PATHS: readonly string[] = [
  '/',
  '//',
  '/api',
  '/apis',
  '/apis/',
  '/api/v1',
  '/apis/pmk.dev',
  '/apis/pmk.dev/v1',
  '/apis/pmk.dev/v2/processes',
  '/apis/none.example/v1/things',
  '/openapi/v2',
  '/openapi/v3',
  '/openapi/v3/apis/pmk.dev/v1',
  '/version',
  '/healthz',
  '/livez/ping',
  '/readyz/__proto__',
  '/readyz?verbose',
  '/apis/pmk.dev/v1/namespaces/default/processes/%2e%2e',
  '/apis/pmk.dev/v1/namespaces/default/processes/a%2fb',
  '/apis/pmk.dev/v1/namespaces/default/processes/%00',
  '/apis/pmk.dev/v1/namespaces/default/processes/%zz',
  '/apis/pmk.dev/v1/namespaces/default/processes/%ff%fe',
  '/apis/pmk.dev/v1/namespaces/default/processes/',
  '/apis/pmk.dev/v1/namespaces//processes/a',
  '/apis/pmk.dev/v1/namespaces/../processes',
  '/apis/pmk.dev/v1/namespaces/default/processes/a;b=c',
  '/apis/pmk.dev/v1/namespaces/__proto__/processes/constructor',
  `/apis/pmk.dev/v1/namespaces/default/processes/${'x'.repeat(1_500)}`,
  `/${'a/'.repeat(5_000)}`,
  '/apis/pmk.dev/v1/watch/processes',
  '/metrics',
  '/%61pis/pmk.dev/v1/processes',
  '*',
  'http://localhost/apis',
]
const TYPES: readonly string[] = [
  'application/json',
  'application/json; charset=utf-8',
  'APPLICATION/JSON',
  'application/yaml',
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
  'application/vnd.kubernetes.protobuf',
  'text/plain',
  'multipart/form-data; boundary=x',
  '',
  ';',
  'application/json;'.repeat(50),
]
const ACCEPTS: readonly string[] = [
  'application/json',
  '*/*',
  'application/yaml',
  'application/json;as=Table;v=v1;g=meta.k8s.io,application/json',
  'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
  'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
  'application/json;as=Table;v=v9;g=meta.k8s.io',
  'application/vnd.kubernetes.protobuf',
  ',,;;=',
  'text/html',
]
const SELECTORS: readonly string[] = [
  'a=b',
  'a in (b,c),!d',
  'a notin (b)',
  'a>1',
  '!a',
  'a in (',
  'a,,b',
  '=',
  'metadata.name=a',
  'metadata.name!=a,metadata.namespace=default',
  'status.phase=Running',
  'spec.nodeName=',
  '__proto__=a',
  'metadata.__proto__.x=1',
  'a\\,b=c',
  'a=b\\',
]
const PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  labelSelector: SELECTORS,
  fieldSelector: SELECTORS,
  limit: ['1', '2', '0', '-1', '99999999999999', '1.5', 'x'],
  continue: ['', 'x', 'e30', 'eyJ2IjoxfQ', Buffer.from('{"v":1,"rv":-1,"after":"x"}').toString('base64url'), 'AA=='],
  resourceVersion: ['0', '1', '5', '-1', '9007199254740993', 'x', '00'],
  resourceVersionMatch: ['Exact', 'NotOlderThan', 'exact', ''],
  sendInitialEvents: ['true', 'false', 'x'],
  allowWatchBookmarks: ['true', 'x'],
  watch: ['true', '1', '', 'false', 'maybe'],
  timeoutSeconds: ['1', '0', '-1', '99999999999', 'x'],
  dryRun: ['All', '', 'none'],
  fieldManager: ['fuzz', 'other', 'kubectl', '', 'x'.repeat(200), '\u0007', '__proto__'],
  fieldValidation: ['Strict', 'Warn', 'Ignore', 'strict'],
  force: ['true', 'false', 'x'],
  pretty: ['true', 'x'],
  includeObject: ['None', 'Metadata', 'Object', 'x'],
  propagationPolicy: ['Foreground', 'Background', 'Orphan', 'x'],
  orphanDependents: ['true', 'x'],
  gracePeriodSeconds: ['0', '-5', '1', '99999999999', 'x'],
  follow: ['true', 'false', 'x'],
  previous: ['true'],
  timestamps: ['true'],
  tailLines: ['1', '-1', '99999999999', 'x'],
  limitBytes: ['0', '1', '100000'],
  sinceSeconds: ['1', '999999999999999', 'x'],
  sinceTime: ['2026-01-01T00:00:00Z', 'yesterday', '+099999-01-01T00:00:00Z'],
}
const POINTERS: readonly string[] = [
  '',
  '/',
  '/metadata',
  '/metadata/name',
  '/metadata/labels',
  '/metadata/labels/a',
  '/metadata/labels/constructor',
  '/metadata/labels/constructor/prototype',
  '/metadata/__proto__',
  '/metadata/__proto__/polluted',
  '/constructor',
  '/constructor/prototype',
  '/constructor/prototype/polluted',
  '/spec',
  '/spec/command',
  '/spec/command/0',
  '/spec/command/-',
  '/spec/command/1e0',
  '/spec/command/99999999999',
  '/spec/command/length',
  '/spec/env',
  '/spec/replicas',
  '/data',
  '/data/toString',
  '/status',
  '/a~1b',
  '/a~2',
  'nowhere',
  '/spec//',
  '/metadata/finalizers/0',
  '/metadata/managedFields',
]

/** One request, made up from a seed: mostly sensible, with something wrong somewhere. */
export function randomRequest(dice: Dice, known: Known): WireRequest {
  const definition = dice.of(definitions)
  const roll = dice.next()
  const request =
    roll < 0.06 ? strayRequest(dice) : roll < 0.3 ? readRequest(definition, dice, known) : writeRequest(definition, dice, known)
  const headers: Record<string, string> = { ...request.headers }
  if (dice.chance(0.15)) headers.accept = dice.of(ACCEPTS)
  if (dice.chance(0.03)) headers['content-encoding'] = dice.of(['gzip', 'identity', 'br', 'x', ''])
  if (dice.chance(0.1)) headers['accept-encoding'] = dice.of(['gzip', 'gzip;q=0', '*', 'gzip, deflate'])
  if (dice.chance(0.03)) headers.expect = dice.of(['100-continue', 'x'])
  if (dice.chance(0.03)) headers['if-none-match'] = dice.of(['*', '"x"'])
  if (dice.chance(0.03)) headers.authorization = dice.of(['Bearer x', 'Basic', ''])
  if (dice.chance(0.02)) headers['x-http-method-override'] = 'DELETE'
  return { ...request, headers }
}

function strayRequest(dice: Dice): WireRequest {
  return {
    method: dice.of(METHODS),
    path: dice.of(PATHS),
    ...(dice.chance(0.3) ? { headers: { 'content-type': dice.of(TYPES) }, body: JSON.stringify(oddity(dice)) } : {}),
  }
}

function readRequest(definition: ResourceDefinition, dice: Dice, known: Known): WireRequest {
  const subresource = dice.chance(0.25) ? `/${dice.of(SUBRESOURCES)}` : ''
  const path = dice.chance(0.5) ? collectionOf(definition, dice) : `${collectionOf(definition, dice)}/${nameOf(dice)}${subresource}`
  return { method: dice.chance(0.9) ? 'GET' : 'HEAD', path: path + queryOf(dice, known) }
}

function writeRequest(definition: ResourceDefinition, dice: Dice, known: Known): WireRequest {
  const name = nameOf(dice)
  const collection = collectionOf(definition, dice)
  const item = `${collection}/${name}`
  const subresource = dice.chance(0.3) ? `/${dice.chance(0.7) ? dice.of(['status', 'scale']) : dice.of(SUBRESOURCES)}` : ''
  const query = queryOf(dice, known)
  const object = objectOf(definition, decodeURIComponent(name), dice, known)
  const type = (usual: string): Readonly<Record<string, string>> => ({ 'content-type': dice.chance(0.95) ? usual : dice.of(TYPES) })
  switch (dice.below(10)) {
    case 0:
    case 1:
      return { method: 'POST', path: collection + query, headers: type('application/json'), body: bodyOf(object, dice) }
    case 2:
      return { method: 'PUT', path: item + subresource + query, headers: type('application/json'), body: bodyOf(object, dice) }
    case 3:
    case 4: {
      const path = `${item}${subresource}${query === '' ? '?' : `${query}&`}fieldManager=fuzz`
      return { method: 'PATCH', path, headers: type('application/apply-patch+yaml'), body: bodyOf(object, dice) }
    }
    case 5:
      return {
        method: 'PATCH',
        path: item + subresource + query,
        headers: type('application/merge-patch+json'),
        body: bodyOf(object, dice),
      }
    case 6:
      return {
        method: 'PATCH',
        path: item + subresource + query,
        headers: type('application/strategic-merge-patch+json'),
        body: bodyOf(object, dice),
      }
    case 7: {
      const operations = Array.from({ length: dice.below(6) }, () => operationOf(dice))
      return {
        method: 'PATCH',
        path: item + subresource + query,
        headers: type('application/json-patch+json'),
        body: bodyOf(operations, dice),
      }
    }
    case 8: {
      const options = dice.chance(0.4) ? { headers: type('application/json'), body: bodyOf(deleteOptions(dice), dice) } : {}
      return { method: 'DELETE', path: (dice.chance(0.05) ? collection : item) + query, ...options }
    }
    default: {
      const body = dice.of([{ signal: oddText(dice) }, { signal: 'HUP' }, { action: oddText(dice) }, { action: 'known' }, oddity(dice)])
      const request = dice.of(['signal', 'action', 'reload', 'restart'])
      return { method: 'POST', path: `${item}/${request}${query}`, headers: type('application/json'), body: bodyOf(body, dice) }
    }
  }
}

function collectionOf({ group, version, plural, scope }: ResourceDefinition, dice: Dice): string {
  const base = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
  const inNamespace = scope === 'Namespaced' ? !dice.chance(0.05) : dice.chance(0.03)
  return inNamespace ? `${base}/namespaces/${dice.of(NAMESPACES)}/${plural}` : `${base}/${plural}`
}

function nameOf(dice: Dice): string {
  return dice.chance(0.95) ? dice.of(NAMES) : encodeURIComponent(wellFormed(oddText(dice)).slice(0, 400)) || '%20'
}

/** A lone surrogate can't be written in an address. */
function wellFormed(text: string): string {
  return text.replaceAll(/\p{Cs}/gu, '?')
}

function queryOf(dice: Dice, { tokens, versions }: Known): string {
  const parameters: string[] = []
  const names = Object.keys(PARAMETERS)
  for (let count = dice.chance(0.5) ? 0 : 1 + dice.below(4); count > 0; count--) {
    const name = dice.of(names)
    let value = dice.of(PARAMETERS[name] ?? [])
    if (name === 'continue' && tokens.length > 0 && dice.chance(0.7)) value = altered(dice.of(tokens), dice)
    if (name === 'resourceVersion' && versions.length > 0 && dice.chance(0.5)) value = dice.of(versions)
    if (dice.chance(0.05)) value = wellFormed(oddText(dice)).slice(0, 5_000)
    parameters.push(`${name}=${encodeURIComponent(value)}`)
  }
  if (dice.chance(0.02)) parameters.push(dice.of(['%', '%zz=%', '&&&', '=', 'a[]=1&a[__proto__]=2', '__proto__=1']))
  return parameters.length === 0 ? '' : `?${parameters.join('&')}`
}

/** A token as it was given out, or with a letter changed, or with other contents. */
function altered(token: string, dice: Dice): string {
  if (dice.chance(0.4)) return token
  const at = dice.below(token.length)
  if (dice.chance(0.4)) return `${token.slice(0, at)}A${token.slice(at + 1)}`
  const text = Buffer.from(token, 'base64url').toString()
  const other = text.replace(/"after":"[^"]*"/, `"after":${JSON.stringify(oddText(dice).slice(0, 1000))}`)
  return Buffer.from(dice.chance(0.5) ? other : text.replace(/"rv":\d+/, '"rv":99999999')).toString('base64url')
}

function objectOf(definition: ResourceDefinition, name: string, dice: Dice, { versions }: Known): unknown {
  const { apiVersion, kind, schema } = definition
  const value = sampleOf(withoutMetadata(schema), dice)
  const metadata: Record<string, unknown> = { name }
  if (dice.chance(0.3)) metadata.labels = { a: dice.of(['b', 'c']), [dice.of(['x', 'y'])]: 'z' }
  if (dice.chance(0.2)) metadata.annotations = { note: oddText(dice).slice(0, 1_000) }
  if (dice.chance(0.1)) metadata.finalizers = ['fuzz.example/a']
  if (dice.chance(0.1) && versions.length > 0) metadata.resourceVersion = dice.of(versions)
  if (dice.chance(0.05)) metadata.generateName = dice.of(['gen-', 'Gen-', ''])
  const process = kind === 'Process' && dice.chance(0.7) ? { spec: { command: ['sleep', '1'], replicas: dice.below(4) } } : {}
  let object: unknown = { ...(isJsonObject(value) ? value : {}), ...process, apiVersion, kind, metadata }
  if (kind === 'Process' && dice.chance(0.1))
    object = { kind: 'Scale', apiVersion: 'autoscaling/v1', metadata: { name }, spec: { replicas: dice.below(5) } }
  for (let times = dice.chance(0.55) ? 0 : 1 + dice.below(2); times > 0; times--) object = spoil(object, dice)
  return object
}

function withoutMetadata(schema: JsonSchema): JsonSchema {
  const { metadata: _, ...properties } = schema.properties ?? {}
  return { ...schema, properties: properties as NonNullable<JsonSchema['properties']> }
}

function operationOf(dice: Dice): unknown {
  const operation = {
    op: dice.of(['add', 'add', 'remove', 'replace', 'move', 'copy', 'test', 'nop']),
    path: dice.of(POINTERS),
    ...(dice.chance(0.6) ? { value: oddity(dice) } : {}),
    ...(dice.chance(0.5) ? { from: dice.of(POINTERS) } : {}),
  }
  return dice.chance(0.9) ? operation : spoil(operation, dice)
}

function deleteOptions(dice: Dice): unknown {
  const options = {
    kind: 'DeleteOptions',
    apiVersion: 'v1',
    gracePeriodSeconds: dice.below(3),
    ...(dice.chance(0.4) ? { propagationPolicy: dice.of(['Foreground', 'Background', 'Orphan']) } : {}),
    ...(dice.chance(0.3) ? { preconditions: { uid: 'x' } } : {}),
    ...(dice.chance(0.3) ? { dryRun: ['All'] } : {}),
  }
  return dice.chance(0.5) ? options : spoil(options, dice)
}

function bodyOf(value: unknown, dice: Dice): string | Uint8Array {
  const text = JSON.stringify(value) ?? ''
  if (text !== '' && dice.chance(0.12)) return spoilText(text, dice)
  return text
}
