import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Answer, PROCESSES, processNamed, TestApiServer } from '../support/api-server.ts'

const MERGE = 'application/merge-patch+json'
const JSON_PATCH = 'application/json-patch+json'
const APPLY = 'application/apply-patch+yaml'
const MAPS = '/api/v1/namespaces/default/configmaps'

let server: TestApiServer
before(async () => {
  server = await TestApiServer.start()
})
after(() => server.stop())

describe('unknown and duplicate fields', () => {
  const unknown = (name: string): string => JSON.stringify({ ...processNamed(name), spec: { command: ['a'], bogus: 1 } })
  const duplicate = (name: string): string =>
    `{"apiVersion":"pmk.dev/v1","kind":"Process","metadata":{"name":"${name}"},"spec":{"command":["a"],"replicas":1,"replicas":2}}`
  /** How each verb sends a text, and what Strict answers. */
  const verbs: readonly [verb: string, code: number, send: (name: string, text: string, query: string) => Promise<Answer>][] = [
    ['POST', 400, (name, text, query) => server.send('POST', `${PROCESSES}?${query}`, text.replace(name, `${name}-new`))],
    [
      'PUT',
      400,
      async (name, text, query) => {
        const { metadata } = (await server.raw('GET', `${PROCESSES}/${name}`)).json
        return server.send(
          'PUT',
          `${PROCESSES}/${name}?${query}`,
          text.replace(`"name":"${name}"`, `"name":"${name}","resourceVersion":"${metadata.resourceVersion}"`),
        )
      },
    ],
    ['merge patch', 422, (name, text, query) => server.send('PATCH', `${PROCESSES}/${name}?${query}`, text, MERGE)],
    ['apply', 400, (name, text, query) => server.send('PATCH', `${PROCESSES}/${name}?${query}&fieldManager=me&force=true`, text, APPLY)],
  ]
  for (const [verb, code, send] of verbs) {
    for (const [what, text, message] of [
      ['an unknown field', unknown, 'unknown field "spec.bogus"'],
      ['a duplicate field', duplicate, 'duplicate field "spec.replicas"'],
    ] as const) {
      test(`${verb} with ${what}: Strict refuses, Warn tells, Ignore is silent`, async () => {
        const name = `v-${verb.replaceAll(' ', '-').toLowerCase()}-${what.split(' ')[1]}`
        await server.send('POST', PROCESSES, processNamed(name))
        const strict = await send(name, text(name), 'fieldValidation=Strict')
        assert.equal(strict.status, code, strict.text)
        assert.ok(strict.json.message.includes(message), strict.text)
        const ignored = await send(name, text(name), 'fieldValidation=Ignore&dryRun=All')
        assert.ok(ignored.status < 300, ignored.text)
        assert.equal(ignored.headers.warning, undefined)
        const warned = await send(name, text(name), '')
        assert.ok(warned.status < 300, warned.text)
        assert.equal(warned.headers.warning, `299 - "${message.replaceAll('"', '\\"')}"`)
        assert.equal(warned.json.spec.bogus, undefined)
      })
    }
  }

  test('JSON patch with an unknown field', async () => {
    await server.send('POST', PROCESSES, processNamed('v-json'))
    const patch = [{ op: 'add', path: '/spec/bogus', value: 1 }]
    assert.equal((await server.send('PATCH', `${PROCESSES}/v-json?fieldValidation=Strict`, patch, JSON_PATCH)).status, 422)
    assert.match(String((await server.send('PATCH', `${PROCESSES}/v-json`, patch, JSON_PATCH)).headers.warning), /spec\.bogus/)
    const ignored = await server.send('PATCH', `${PROCESSES}/v-json?fieldValidation=Ignore`, patch, JSON_PATCH)
    assert.deepEqual([ignored.status, ignored.headers.warning], [200, undefined])
  })

  test('JSON patch with a key twice: Strict refuses, Warn tells, Ignore is silent', async () => {
    await server.send('POST', PROCESSES, processNamed('v-json-twice'))
    const send = (query: string): Promise<Answer> => {
      const patch = '[{"op":"add","path":"/spec/nice","value":1,"value":2}]'
      return server.send('PATCH', `${PROCESSES}/v-json-twice?${query}`, patch, JSON_PATCH)
    }
    const strict = await send('fieldValidation=Strict')
    assert.equal(strict.status, 422, strict.text)
    assert.match(strict.json.message, /duplicate field "\[0\]\.value"/)
    const ignored = await send('fieldValidation=Ignore&dryRun=All')
    assert.deepEqual([ignored.status, ignored.headers.warning], [200, undefined])
    const warned = await send('fieldValidation=Warn')
    assert.deepEqual([warned.status, warned.headers.warning], [200, '299 - "duplicate field \\"[0].value\\""'])
  })

  test('in a Scale, however it is written', async () => {
    await server.send('POST', PROCESSES, processNamed('scaled'))
    const scale = '"kind":"Scale","apiVersion":"autoscaling/v1","metadata":{"name":"scaled"}'
    const written: readonly [method: string, type: string, body: string, code: number, told: string][] = [
      ['PUT', 'application/json', `{${scale},"spec":{"replicas":2,"replica":3}}`, 400, 'unknown field "spec.replica"'],
      ['PUT', 'application/json', `{${scale},"spec":{"replicas":2,"replicas":3}}`, 400, 'duplicate field "spec.replicas"'],
      ['PATCH', 'application/merge-patch+json', '{"spec":{"replicas":2,"replica":3}}', 422, 'unknown field "spec.replica"'],
      ['PATCH', 'application/merge-patch+json', '{"spec":{"replicas":2,"replicas":3}}', 422, 'duplicate field "spec.replicas"'],
      ['PATCH', 'application/apply-patch+yaml', `{${scale},"extra":1,"spec":{"replicas":3}}`, 400, 'unknown field "extra"'],
    ]
    for (const [method, type, body, code, told] of written) {
      const send = (validation: string) =>
        server.raw(
          method,
          `${PROCESSES}/scaled/scale?fieldManager=test&fieldValidation=${validation}${type.includes('apply') ? '&force=true' : ''}`,
          {
            headers: { 'content-type': type },
            body,
          },
        )
      const refused = await send('Strict')
      assert.deepEqual([refused.status, refused.json.message.includes(`strict decoding error: ${told}`)], [code, true], refused.text)
      const warned = await send('Warn')
      assert.equal(warned.status, 200, warned.text)
      assert.ok(String(warned.headers.warning).includes(told.replaceAll('"', '\\"')), String(warned.headers.warning))
      assert.equal((await send('Ignore')).headers.warning, undefined)
    }
  })

  test('a validation and a dry run of unknown sorts are refused', async () => {
    for (const [query, field] of [
      ['fieldValidation=Sloppy', 'fieldValidation'],
      ['dryRun=Some', 'dryRun'],
    ]) {
      const answer = await server.send('POST', `${PROCESSES}?${query}`, processNamed('v-options'))
      assert.deepEqual([answer.status, answer.json.details.causes[0].field], [422, field], answer.text)
    }
  })
})

test('dryRun=All on every verb leaves the store as it was', async () => {
  await server.send('POST', PROCESSES, processNamed('dry'))
  await server.send('POST', MAPS, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'dry' } })
  const version = server.store.revision()
  const stored = JSON.stringify((await server.store.range('')).items)
  const made = (await server.raw('GET', `${PROCESSES}/dry`)).json
  const answers = [
    await server.send('POST', `${PROCESSES}?dryRun=All`, processNamed('dry-new')),
    await server.send('PUT', `${PROCESSES}/dry?dryRun=All`, { ...made, spec: { ...made.spec, replicas: 3 } }),
    await server.send('PATCH', `${PROCESSES}/dry?dryRun=All`, { spec: { replicas: 3 } }, MERGE),
    await server.send('PATCH', `${PROCESSES}/dry?dryRun=All`, [{ op: 'replace', path: '/spec/replicas', value: 3 }], JSON_PATCH),
    await server.send(
      'PATCH',
      `${PROCESSES}/dry?dryRun=All&fieldManager=me&force=true`,
      processNamed('dry', { spec: { command: ['b'], replicas: 3 } }),
      APPLY,
    ),
    await server.send('PATCH', `${PROCESSES}/dry-applied?dryRun=All&fieldManager=me`, processNamed('dry-applied'), APPLY),
    await server.send('PATCH', `${PROCESSES}/dry/status?dryRun=All`, { status: { replicas: 3 } }, MERGE),
    await server.send('PATCH', `${PROCESSES}/dry/scale?dryRun=All`, { spec: { replicas: 3 } }, MERGE),
    await server.raw('DELETE', `${PROCESSES}/dry?dryRun=All`),
    await server.send('DELETE', `${MAPS}/dry`, { dryRun: ['All'] }),
    await server.raw('DELETE', `${MAPS}?dryRun=All`),
    await server.send('PUT', `${PROCESSES}/dry/status?dryRun=All`, { ...made, status: { replicas: 3 } }),
    await server.send('PUT', `${PROCESSES}/dry/scale?dryRun=All`, {
      apiVersion: 'autoscaling/v1',
      kind: 'Scale',
      metadata: { name: 'dry' },
      spec: { replicas: 3 },
    }),
    await server.send(
      'PATCH',
      `${PROCESSES}/dry/status?dryRun=All&fieldManager=me`,
      { apiVersion: 'pmk.dev/v1', kind: 'Process', status: { replicas: 3 } },
      APPLY,
    ),
    await server.send('DELETE', `${PROCESSES}/dry`, { dryRun: ['All'], propagationPolicy: 'Foreground', gracePeriodSeconds: 0 }),
    await server.send('POST', `${PROCESSES}?dryRun=All`, { ...processNamed(''), metadata: { generateName: 'dry-' } }),
  ]
  assert.deepEqual(
    answers.map(({ status }) => status),
    [201, 200, 200, 200, 200, 201, 200, 200, 200, 200, 200, 200, 200, 200, 200, 201],
  )
  assert.equal(answers[1]?.json.spec.replicas, 3)
  for (const created of [answers[0], answers[5], answers.at(-1)]) {
    const { uid, creationTimestamp, resourceVersion } = created?.json.metadata ?? {}
    assert.ok(uid && creationTimestamp && resourceVersion === undefined, created?.text)
  }
  assert.equal(server.store.revision(), version)
  assert.equal(JSON.stringify((await server.store.range('')).items), stored)
})

test('a stale or missing resourceVersion, a foreign uid and a failing test of a patch are refused', async () => {
  const made = (await server.send('POST', PROCESSES, processNamed('lock'))).json
  await server.send('PATCH', `${PROCESSES}/lock`, { metadata: { labels: { a: 'b' } } }, MERGE)
  const { resourceVersion: _, ...withoutVersion } = made.metadata
  const put = (metadata: object) => server.send('PUT', `${PROCESSES}/lock`, { ...made, metadata })
  assert.equal((await put(made.metadata)).json.reason, 'Conflict')
  assert.equal((await put(withoutVersion)).json.details.causes[0].field, 'metadata.resourceVersion')
  assert.equal(
    (await server.send('PATCH', `${PROCESSES}/lock`, { metadata: { resourceVersion: made.metadata.resourceVersion } }, MERGE)).status,
    409,
  )
  assert.equal(
    (await server.send('PATCH', `${PROCESSES}/lock`, [{ op: 'test', path: '/spec/replicas', value: 9 }], JSON_PATCH)).status,
    422,
  )
  assert.equal((await server.send('DELETE', `${PROCESSES}/lock`, { preconditions: { uid: 'other' } })).status, 409)
  assert.equal((await server.send('PATCH', `${PROCESSES}/lock?force=true`, {}, MERGE)).status, 422)
  assert.equal((await server.send('PATCH', `${PROCESSES}/lock`, processNamed('lock'), APPLY)).json.details.causes[0].field, 'fieldManager')
  assert.equal((await server.send('PATCH', `${PROCESSES}/lock`, {}, JSON_PATCH)).status, 400)
  assert.equal(
    (
      await server.send(
        'PATCH',
        `${PROCESSES}/lock`,
        Array.from({ length: 10_001 }, () => ({})),
        JSON_PATCH,
      )
    ).status,
    413,
  )
})

describe('deleting', () => {
  test('what has no finalizer is gone, and the Status says what it was', async () => {
    const made = (await server.send('POST', MAPS, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'gone' } })).json
    const answer = await server.send('DELETE', `${MAPS}/gone`, { propagationPolicy: 'Background' })
    const { kind, status, details } = answer.json
    assert.deepEqual(
      { kind, status, details },
      { kind: 'Status', status: 'Success', details: { name: 'gone', kind: 'configmaps', uid: made.metadata.uid } },
    )
    assert.equal((await server.raw('DELETE', `${MAPS}/gone`)).status, 404)
  })

  test('what has one stays until that is removed; a second DELETE changes nothing', async () => {
    await server.send('POST', PROCESSES, processNamed('stays'))
    const first = (await server.raw('DELETE', `${PROCESSES}/stays`)).json
    assert.equal(first.kind, 'Process')
    assert.ok(first.metadata.deletionTimestamp)
    assert.equal((await server.raw('DELETE', `${PROCESSES}/stays`)).json.metadata.resourceVersion, first.metadata.resourceVersion)
    const last = await server.send('PATCH', `${PROCESSES}/stays`, { metadata: { finalizers: null } }, MERGE)
    assert.equal(last.status, 200, last.text)
    assert.equal((await server.raw('GET', `${PROCESSES}/stays`)).status, 404)
  })

  test('a collection is deleted by its selector, and the answer lists what was', async () => {
    for (const name of ['c1', 'c2', 'keep']) {
      await server.send('POST', MAPS, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name, labels: { sort: name === 'keep' ? 'other' : 'this' } },
      })
    }
    const answer = await server.raw('DELETE', `${MAPS}?labelSelector=sort%3Dthis`)
    assert.equal(answer.json.kind, 'ConfigMapList')
    assert.deepEqual(
      answer.json.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name),
      ['c1', 'c2'],
    )
    assert.equal((await server.raw('GET', `${MAPS}/c1`)).status, 404)
    assert.equal((await server.raw('GET', `${MAPS}/keep`)).status, 200)
  })
})

test('pages of one object under concurrent writes are the snapshot of the first', async () => {
  for (const name of ['p1', 'p2', 'p3', 'p4'])
    await server.send('POST', MAPS, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels: { page: 'yes' } } })
  const list = `${MAPS}?limit=1&labelSelector=page`
  const names: string[] = []
  const versions = new Set<string>()
  let token = ''
  do {
    const page = (await server.raw('GET', `${list}&continue=${encodeURIComponent(token)}`)).json
    names.push(...page.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name))
    versions.add(page.metadata.resourceVersion)
    token = page.metadata.continue ?? ''
    await server.send('POST', MAPS, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: `p3-${names.length}`, labels: { page: 'yes' } },
    })
    await server.raw('DELETE', `${MAPS}/p4`)
  } while (token !== '')
  assert.deepEqual(names, ['p1', 'p2', 'p3', 'p4'])
  assert.equal(versions.size, 1)
  const other = (await server.raw('GET', list)).json.metadata.continue
  assert.equal((await server.raw('GET', `${PROCESSES}?continue=${encodeURIComponent(other)}`)).status, 400)
  assert.equal((await server.raw('GET', `${MAPS}?continue=broken`)).status, 400)
})

test('a read that asks for a version yet to come gets it when it comes', async () => {
  await server.send('POST', MAPS, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'soon' } })
  const next = server.store.revision() + 1
  const reading = server.raw('GET', `${MAPS}/soon?resourceVersion=${next}`)
  await server.send('PATCH', `${MAPS}/soon`, { data: { a: 'b' } }, MERGE)
  assert.deepEqual((await reading).json.data, { a: 'b' })
})
