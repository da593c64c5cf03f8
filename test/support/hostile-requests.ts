import { MAX_VALUES } from '../../src/api/size.ts'
import { exchange, type WireRequest } from './wire.ts'

/** The largest body that is taken, less what is around the part that a case is about. */
const ROOM = 3 * 1024 * 1024 - 4096

const PROCESSES = '/apis/pmk.dev/v1/namespaces/default/processes'
const JSON_TYPE = { 'content-type': 'application/json' }

/** Objects that the hostile requests are about. */
export async function prepare(socketPath: string): Promise<void> {
  for (const [path, object] of [
    [
      PROCESSES,
      { apiVersion: 'pmk.dev/v1', kind: 'Process', metadata: { name: 'web', labels: { a: 'b' } }, spec: { command: ['sleep', '1'] } },
    ],
    ['/api/v1/namespaces/default/configmaps', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'web' }, data: { a: 'b' } }],
  ] as const) {
    await exchange(socketPath, { method: 'POST', path, headers: JSON_TYPE, body: JSON.stringify(object) }, { within: 20_000 })
  }
}

/** As many copies of a text as a body may hold, numbered where the text says `#`, with commas between. */
function many(text: string, most = Math.floor((MAX_VALUES - 500) / (text.replaceAll(/[^[{,]/g, '').length + 1))): string {
  const copies: string[] = []
  for (let length = 0, index = 0; index < most; index++) {
    const copy = text.replaceAll('#', index.toString(36))
    length += copy.length + 1
    if (length > ROOM) break
    copies.push(copy)
  }
  return copies.join(',')
}

function processWith(spec: string, metadata = ''): string {
  return `{"apiVersion":"pmk.dev/v1","kind":"Process","metadata":{"name":"web"${metadata && `,${metadata}`}},"spec":{${spec}}}`
}

/**
 * Requests of a few megabytes at most that are as dear as they can be for whoever walks, compares, quotes or sorts what is in them:
 * what is quadratic in them takes minutes, what is linear much less than a second.
 */
export function hostileRequests(): readonly (readonly [title: string, request: WireRequest])[] {
  const create = (title: string, body: string): [string, WireRequest] => [
    title,
    { method: 'POST', path: PROCESSES, headers: JSON_TYPE, body: body.replace('"name":"web"', '"name":"other"') },
  ]
  const strictly = (title: string, body: string): [string, WireRequest] => [
    `${title}, strictly`,
    {
      method: 'POST',
      path: `${PROCESSES}?fieldValidation=Strict`,
      headers: JSON_TYPE,
      body: body.replace('"name":"web"', '"name":"other"'),
    },
  ]
  const apply = (title: string, body: string): [string, WireRequest] => [
    `apply of ${title}`,
    {
      method: 'PATCH',
      path: `${PROCESSES}/web?fieldManager=hostile&force=true`,
      headers: { 'content-type': 'application/apply-patch+yaml' },
      body,
    },
  ]
  const patch = (title: string, type: string, body: string, path = `${PROCESSES}/web`): [string, WireRequest] => [
    title,
    { method: 'PATCH', path, headers: { 'content-type': `application/${type}` }, body },
  ]
  const get = (title: string, query: string): [string, WireRequest] => [title, { method: 'GET', path: `${PROCESSES}?${query}` }]
  const command = '"command":["sleep","1"]'
  const both = (title: string, body: string): [string, WireRequest][] => [create(title, body), apply(title, body)]
  const unknown = processWith(`${command},${many('"x#":1')}`)
  return [
    ...both('words of the wrong type', processWith(`"command":[${many('1')}]`)),
    create('variables without a name', processWith(`${command},"env":[${many('{}')}]`)),
    ...both('variables', processWith(`${command},"env":[${many('{"name":"N#","value":""}')}]`)),
    create('variables of one name', processWith(`${command},"env":[${many('{"name":"N","value":"#"}')}]`)),
    create('variables with bad names', processWith(`${command},"env":[${many('{"name":"0#"}')}]`)),
    ...both('unknown fields', unknown),
    strictly('unknown fields', unknown),
    create('one long unknown field', processWith(`${command},"${'x'.repeat(ROOM)}":1`)),
    ...both('exit codes that are none', processWith(`${command},"successExitCodes":[${many('{}')}]`)),
    create('exit codes', processWith(`${command},"successExitCodes":[${many('"TER#"')}]`)),
    create('dependencies', processWith(`${command},"dependsOn":[${many('{"name":"n#"}')}]`)),
    create('limits that are none', processWith(`${command},"rlimits":{${many('"x#":[]')}}`)),
    create(
      'headers',
      processWith(`${command},"readinessProbe":{"httpGet":{"port":80,"httpHeaders":[${many('{"name":"a","value":""}')}]}}`),
    ),
    create(
      'a long list of codes',
      processWith(`${command},"readinessProbe":{"httpGet":{"port":80,"expectStatus":"${'200-299,'.repeat(ROOM / 8)}x"}}`),
    ),
    create('a long list of CPUs', processWith(`${command},"cpuAffinity":"${'0-3,'.repeat(ROOM / 4)}x"`)),
    create('a long backoff', processWith(`${command},"backoff":{"initial":"${'1'.repeat(ROOM)}"}`)),
    ...both('finalizers', processWith(command, `"finalizers":[${many('"a.b/#"')}]`)),
    create('finalizers that are none', processWith(command, `"finalizers":[${many('"#"')}]`)),
    ...both('labels', processWith(command, `"labels":{${many('"l#":"v"')}}`)),
    create('labels with bad keys', processWith(command, `"labels":{${many('"!#":"v"')}}`)),
    ...both('annotations', processWith(command, `"annotations":{${many('"l#":"v"')}}`)),
    ...both(
      'owners',
      processWith(command, `"ownerReferences":[${many('{"apiVersion":"v1","kind":"A","name":"a","uid":"#","controller":true}')}]`),
    ),
    create(
      'owners of fields',
      processWith(command, `"managedFields":[${many('{"manager":"m#","operation":"Update","apiVersion":"v1","fieldsType":"FieldsV1"}')}]`),
    ),
    create(
      'owners of a field',
      processWith(
        command,
        `"managedFields":[${many('{"manager":"m#","operation":"Apply","apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:command":{}}}}')}]`,
      ),
    ),
    ...both('one key again and again', processWith(many(command))),
    create('keys again and again', processWith(`${command},"env":[${many(`{${'"a":1,'.repeat(9)}"a":1}`)}]`)),
    create('nothing but depth', processWith(`"command":${'['.repeat(ROOM / 2)}${']'.repeat(ROOM / 2)}`)),
    create('depth that is allowed', processWith(`"command":[${many(`${'['.repeat(150)}${']'.repeat(150)}`)}]`)),
    ...both('depth of maps', processWith(`"command":[${many(`${'{"a":'.repeat(150)}1${'}'.repeat(150)}`)}]`)),
    create('one long word', processWith(`"command":["${'x'.repeat(ROOM)}"]`)),
    create('a long script', processWith(`"script":"${'\\u0000'.repeat(ROOM / 6)}"`)),
    create('quotes', processWith(`"command":["${'\\"'.repeat(ROOM / 2)}"]`)),
    patch('a patch of many operations', 'json-patch+json', `[${many('{"op":"add","path":"/spec/command/0","value":"x"}', 10_000)}]`),
    patch('a patch of many tests', 'json-patch+json', `[${many('{"op":"test","path":"","value":{}}', 10_000)}]`),
    patch(
      'a patch of copies of copies',
      'json-patch+json',
      `[{"op":"add","path":"/spec/a","value":["${'x'.repeat(1000)}"]},${many('{"op":"copy","from":"/spec/a","path":"/spec/a/-"}', 9_000)}]`,
    ),
    patch(
      'a patch that moves much back and forth',
      'json-patch+json',
      `[{"op":"add","path":"/spec/a","value":[${many('1', 5_000)}]},${many('{"op":"move","from":"/spec/a","path":"/spec/b"},{"op":"move","from":"/spec/b","path":"/spec/a"}', 4_000)}]`,
    ),
    patch(
      'a patch that inserts at the front of a long list',
      'json-patch+json',
      `[{"op":"add","path":"/spec/a","value":[${many('1', 5_000)}]},${many('{"op":"add","path":"/spec/a/0","value":1}', 9_000)}]`,
    ),
    patch(
      'a patch that removes the front of a long list',
      'json-patch+json',
      `[{"op":"add","path":"/spec/a","value":[${many('1', 5_000)}]},${many('{"op":"remove","path":"/spec/a/0"}', 9_000)}]`,
    ),
    patch(
      'a patch that replaces much',
      'json-patch+json',
      `[{"op":"add","path":"/spec/a","value":[${many('1', 5_000)}]},${many('{"op":"replace","path":"","value":{}}', 9_000)}]`,
    ),
    patch('a patch with a long pointer', 'json-patch+json', `[{"op":"add","path":"${'/a'.repeat(ROOM / 2)}","value":1}]`),
    patch(
      'a patch with long pointers',
      'json-patch+json',
      `[${many(`{"op":"test","path":"/spec${'/~01'.repeat(80)}","value":1}`, 10_000)}]`,
    ),
    patch('too many operations', 'json-patch+json', `[${many('{}', 1_000_000)}]`),
    create('words without end', processWith(`"command":[${many('1', 10_000_000)}]`)),
    create('fields without end', processWith(`${command},${many('"x#":1', 10_000_000)}`)),
    apply('depth without end', processWith(`"command":${'['.repeat(ROOM)}`)),
    patch('a merge patch of many fields', 'merge-patch+json', `{${many('"x#":1')}}`),
    patch('a merge patch of many labels', 'merge-patch+json', `{"metadata":{"labels":{${many('"x#":"1"')}}}}`),
    patch('a merge patch that takes much away', 'merge-patch+json', `{"metadata":{"labels":{${many('"x#":null')}}}}`),
    patch(
      'a strategic merge of a set',
      'strategic-merge-patch+json',
      `{"metadata":{"finalizers":[${many('"a/#"')}]}}`,
      '/api/v1/namespaces/default/configmaps/web',
    ),
    patch(
      'a strategic merge of owners',
      'strategic-merge-patch+json',
      `{"metadata":{"ownerReferences":[${many('{"uid":"#"}')}]}}`,
      '/api/v1/namespaces/default/configmaps/web',
    ),
    patch(
      'a strategic merge that takes items out',
      'strategic-merge-patch+json',
      `{"metadata":{"$deleteFromPrimitiveList/finalizers":[${many('"a/#"')}]}}`,
      '/api/v1/namespaces/default/configmaps/web',
    ),
    [
      'a body in YAML of aliases',
      {
        method: 'POST',
        path: PROCESSES,
        headers: { 'content-type': 'application/yaml' },
        body: `a: &a [x,x,x,x,x,x,x,x,x]\n${Array.from({ length: 8 }, (_, at) => `${'bcdefghi'[at]}: &${'bcdefghi'[at]} [${`*${'abcdefgh'[at]},`.repeat(9)}]`).join('\n')}\n`,
      },
    ],
    [
      'a body in YAML of keys',
      {
        method: 'POST',
        path: PROCESSES,
        headers: { 'content-type': 'application/yaml' },
        body: Array.from({ length: 50_000 }, (_, at) => `k${at}: v`).join('\n'),
      },
    ],
    [
      'a body in YAML of depth',
      { method: 'POST', path: PROCESSES, headers: { 'content-type': 'application/yaml' }, body: '- '.repeat(200_000) },
    ],
    [
      'a body in YAML of brackets',
      { method: 'POST', path: PROCESSES, headers: { 'content-type': 'application/yaml' }, body: '[{'.repeat(200_000) },
    ],
    [
      'a body in YAML of merges',
      {
        method: 'POST',
        path: PROCESSES,
        headers: { 'content-type': 'application/yaml' },
        body: `base: &b {${Array.from({ length: 2_000 }, (_, at) => `k${at}: 1`).join(',')}}\n${Array.from({ length: 3_000 }, (_, at) => `m${at}: {<<: *b}`).join('\n')}`,
      },
    ],
    [
      'a body in YAML of documents',
      { method: 'POST', path: PROCESSES, headers: { 'content-type': 'application/yaml' }, body: '--- a\n'.repeat(80_000) },
    ],
    [
      'a body in YAML of comments and spaces',
      {
        method: 'POST',
        path: PROCESSES,
        headers: { 'content-type': 'application/yaml' },
        body: `${' '.repeat(200_000)}#${'\n \t'.repeat(60_000)}`,
      },
    ],
    [
      'a body in YAML of quotes',
      { method: 'POST', path: PROCESSES, headers: { 'content-type': 'application/yaml' }, body: `a: "${'\\'.repeat(400_001)}` },
    ],
    get('a label selector of commas', `labelSelector=${'a,'.repeat(30_000)}`),
    get('a label selector of one set', `labelSelector=a+in+(${'b,'.repeat(30_000)}c)`),
    get('a label selector of bad words', `labelSelector=${'!'.repeat(60_000)}`),
    get('a label selector of one word', `labelSelector=${'a'.repeat(60_000)}`),
    get('a field selector of commas', `fieldSelector=${'metadata.name=a,'.repeat(4_000)}`),
    get('a field selector of backslashes', `fieldSelector=metadata.name=${'%5C%5C'.repeat(10_000)}`),
    get('a field selector of one word', `fieldSelector=${'a'.repeat(60_000)}`),
    get('many parameters', `${'a=b&'.repeat(15_000)}limit=1`),
    get('a long token', `limit=1&continue=${'A'.repeat(60_000)}`),
    [
      'a long list of what is accepted',
      { method: 'GET', path: PROCESSES, headers: { accept: `${'a/b;c=d,'.repeat(7_000)}application/json` } },
    ],
    ['a long way of encoding', { method: 'GET', path: PROCESSES, headers: { 'accept-encoding': `${'gzip;q=0,'.repeat(6_000)}x` } }],
    [
      'a long name of a browser',
      { method: 'POST', path: PROCESSES, headers: { ...JSON_TYPE, 'user-agent': 'a'.repeat(60_000) }, body: '{}' },
    ],
    [
      'conditions of a status',
      {
        method: 'PATCH',
        path: `${PROCESSES}/web/status`,
        headers: { 'content-type': 'application/merge-patch+json' },
        body: `{"status":{"conditions":[${many('{"type":"T#","status":"True"}')}]}}`,
      },
    ],
    [
      'a condition of a status again and again',
      {
        method: 'PATCH',
        path: `${PROCESSES}/web/status`,
        headers: { 'content-type': 'application/merge-patch+json' },
        body: `{"status":{"conditions":[${many('{"type":"T","status":"True"}')}]}}`,
      },
    ],
    [
      'options of a deletion',
      { method: 'DELETE', path: `${PROCESSES}/none`, headers: JSON_TYPE, body: `{"dryRun":[${many('"All"')}],"x":"y"}` },
    ],
  ]
}
