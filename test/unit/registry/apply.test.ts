import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { conflictOf, type Fields, OneObject } from './one-object.ts'

const member = {}

describe('applyConfiguration', () => {
  it('creates an object with its defaults, of which the applier owns what it said', () => {
    const subject = new OneObject()
    subject.apply('a', {
      metadata: { labels: { app: 'web' } },
      spec: { command: ['sleep', '1'], env: [{ name: 'A', value: 'x' }], rlimits: { nofile: 5 } },
    })
    assert.equal(subject.spec.replicas, 1)
    assert.deepEqual(subject.live?.metadata.managedFields, [
      {
        manager: 'a',
        operation: 'Apply',
        apiVersion: 'pmk.dev/v1',
        time: '2025-01-01T00:00:00Z',
        fieldsType: 'FieldsV1',
        fieldsV1: {
          'f:metadata': { 'f:labels': { 'f:app': {} } },
          'f:spec': {
            'f:command': {},
            'f:env': { 'k:{"name":"A"}': { '.': {}, 'f:name': {}, 'f:value': {} } },
            'f:rlimits': { 'f:nofile': {} },
          },
        },
      },
    ])
  })

  it('changes nothing when the same is applied again', () => {
    const subject = new OneObject()
    const body = {
      spec: {
        command: ['a'],
        stopSteps: [{ signal: 'TERM' }],
        dependsOn: [{ name: 'db' }],
        env: [{ name: 'B', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }],
      },
    }
    const first = subject.apply('a', body)
    assert.equal(subject.apply('a', body), first)
  })

  it('takes null for unset', () => {
    const subject = new OneObject()
    const body = { spec: { command: ['a'], nice: null, replicas: null, stopSteps: [{ signal: 'TERM', wait: null }] } }
    const first = subject.apply('a', body)
    assert.deepEqual(['nice' in subject.spec, subject.spec.replicas], [false, 1])
    assert.equal(subject.apply('a', body), first)
  })

  it('keeps what others own and removes what only it owned', () => {
    const subject = new OneObject()
    subject.apply('a', {
      spec: {
        command: ['a'],
        nice: 5,
        env: [
          { name: 'A', value: '1' },
          { name: 'B', value: '1' },
        ],
      },
    })
    subject.apply('b', { spec: { args: ['x'], env: [{ name: 'C', value: '1' }] } })
    subject.apply('a', { spec: { command: ['a'], env: [{ name: 'B', value: '2' }] } })
    assert.equal('nice' in subject.spec, false)
    assert.deepEqual(subject.spec.args, ['x'])
    assert.deepEqual(subject.spec.env, [
      { name: 'B', value: '2' },
      { name: 'C', value: '1' },
    ])
  })

  it('gives a field back to its default when its only owner drops it', () => {
    const subject = new OneObject()
    subject.apply('a', { spec: { command: ['a'], replicas: 3, securityContext: { runAsUser: 'www' } } })
    subject.apply('a', { spec: { command: ['a'] } })
    assert.equal(subject.spec.replicas, 1)
    assert.equal('securityContext' in subject.spec, false, 'the defaults inside go with it')
    assert.deepEqual(subject.owners, { 'a/Apply': { 'f:spec': { 'f:command': {} } } })
  })

  it('removes an item with its defaults when its only owner drops it', () => {
    const subject = new OneObject()
    subject.apply('a', { spec: { command: ['a'], dependsOn: [{ name: 'db' }, { name: 'mq' }] } })
    subject.apply('a', { spec: { command: ['a'], dependsOn: [{ name: 'mq' }] } })
    assert.deepEqual(subject.spec.dependsOn, [{ name: 'mq', kind: 'Process', condition: 'Ready', onRestart: 'Ignore' }])
    subject.apply('a', { spec: { command: ['a'] } })
    assert.equal('dependsOn' in subject.spec, false)
  })

  it('shares a field on which two agree, until the last one drops it', () => {
    const subject = new OneObject()
    subject.apply('a', { spec: { command: ['a'], nice: 5 } })
    subject.apply('b', { spec: { nice: 5 } })
    assert.deepEqual(subject.owners['b/Apply'], { 'f:spec': { 'f:nice': {} } })
    subject.apply('a', { spec: { command: ['a'] } })
    assert.equal(subject.spec.nice, 5)
    subject.apply('b', { metadata: { labels: { b: 'x' } } })
    assert.equal('nice' in subject.spec, false)
  })

  it('refuses to change what others own, byte for byte as Kubernetes does', () => {
    const subject = new OneObject()
    subject.apply('a', { spec: { command: ['a'], env: [{ name: 'A', value: '1' }] } })
    subject.update('edit "x"', { spec: { ...subject.spec, nice: 1 } })
    subject.update('agent', { status: { replicas: 1 } }, 'status')
    const one = conflictOf(() => subject.apply('b', { spec: { command: ['b'] } })).status
    assert.deepEqual(one, {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'Apply failed with 1 conflict: conflict with "a": .spec.command',
      reason: 'Conflict',
      code: 409,
      details: { causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "a"', field: '.spec.command' }] },
    })
    const more = conflictOf(() => subject.apply('b', { spec: { command: ['b'], nice: 2, env: [{ name: 'A', value: '2' }] } })).status
    assert.equal(
      more.message,
      'Apply failed with 3 conflicts: conflicts with "a":\n- .spec.command\n- .spec.env[name="A"].value\nconflicts with "edit \\"x\\"" using pmk.dev/v1 at 2025-01-01T00:00:01Z:\n- .spec.nice',
    )
    assert.deepEqual(more.details?.causes?.at(-1), {
      reason: 'FieldManagerConflict',
      message: 'conflict with "edit \\"x\\"" using pmk.dev/v1 at 2025-01-01T00:00:01Z',
      field: '.spec.nice',
    })
    const status = conflictOf(() => subject.apply('b', { status: { replicas: 2 } }, { subresource: 'status' })).status
    assert.equal(
      status.message,
      'Apply failed with 1 conflict: conflict with "agent" with subresource "status" using pmk.dev/v1 at 2025-01-01T00:00:02Z: .status.replicas',
    )
  })

  it('takes over with force, and the others lose just that', () => {
    const subject = new OneObject()
    subject.apply('a', { spec: { command: ['a'], nice: 1 } })
    subject.apply('b', { spec: { nice: 2 } }, { force: true })
    assert.equal(subject.spec.nice, 2)
    assert.deepEqual(subject.owners, { 'a/Apply': { 'f:spec': { 'f:command': {} } }, 'b/Apply': { 'f:spec': { 'f:nice': {} } } })
  })

  it('conflicts with what an update has taken over, and with force takes it back', () => {
    const subject = new OneObject()
    const body = { spec: { command: ['a'], nice: 1 } }
    subject.apply('a', body)
    subject.update('edit', { spec: { ...subject.spec, nice: 9 } })
    assert.deepEqual(subject.owners['a/Apply'], { 'f:spec': { 'f:command': {} } })
    assert.equal(conflictOf(() => subject.apply('a', body)).status.reason, 'Conflict')
    subject.apply('a', body, { force: true })
    assert.equal(subject.spec.nice, 1)
    assert.deepEqual(subject.owners, { 'a/Apply': { 'f:spec': { 'f:command': {}, 'f:nice': {} } } })
  })

  it('keeps an item in which somebody else owns something, with its key', () => {
    const subject = new OneObject()
    subject.apply('a', { spec: { command: ['a'], env: [{ name: 'A', value: '1' }] } })
    subject.update('edit', { spec: { ...subject.spec, env: [{ name: 'A', value: '2' }] } })
    subject.apply('a', { spec: { command: ['a'] } })
    assert.deepEqual(subject.spec.env, [{ name: 'A', value: '2' }])
  })

  it('keeps entries of maps and sets that others own', () => {
    const subject = new OneObject()
    subject.apply('a', { metadata: { labels: { a: '1' }, finalizers: ['x/a'] }, spec: { command: ['a'] } })
    subject.apply('b', { metadata: { labels: { b: '1' }, finalizers: ['x/b'] } })
    assert.deepEqual(subject.owners['b/Apply'], { 'f:metadata': { 'f:finalizers': { 'v:"x/b"': member }, 'f:labels': { 'f:b': member } } })
    subject.apply('a', { spec: { command: ['a'] } })
    assert.deepEqual([subject.live?.metadata.labels, subject.live?.metadata.finalizers], [{ b: '1' }, ['x/b']])
    subject.apply('b', { spec: { nice: 1 } })
    assert.deepEqual(['labels' in (subject.live?.metadata ?? {}), 'finalizers' in (subject.live?.metadata ?? {})], [false, false])
  })

  it('puts items in the order of the configuration and leaves others where they are', () => {
    const subject = new OneObject()
    const names = (): unknown => (subject.spec.env as { name: string }[]).map(({ name }) => name).join('')
    const env = (text: string): Fields => ({ spec: { command: ['a'], env: [...text].map((name) => ({ name })) } })
    subject.apply('a', env('BD'))
    subject.apply('b', { spec: { env: [...'XBYDZ'].map((name) => ({ name })) } })
    assert.equal(names(), 'XBYDZ')
    subject.apply('a', env('DEB'))
    assert.equal(names(), 'XYDZEB')
    subject.apply('a', env('AD'))
    assert.equal(names(), 'XYADZB', 'B is shared with b, who still says it')
  })

  it('treats an atomic list as one value', () => {
    const subject = new OneObject()
    subject.apply('a', { spec: { command: ['a', 'b'] } })
    assert.match(conflictOf(() => subject.apply('b', { spec: { command: ['a'] } })).message, /: \.spec\.command$/)
    subject.apply('b', { spec: { command: ['a'] } }, { force: true })
    assert.deepEqual(subject.spec.command, ['a'])
  })

  it('changes the type of a value that has alternatives', () => {
    const subject = new OneObject()
    subject.apply('a', { spec: { command: ['a'], rlimits: { nofile: 5 } } })
    subject.apply('a', { spec: { command: ['a'], rlimits: { nofile: { soft: 5, hard: 'unlimited' } } } })
    assert.deepEqual(subject.spec.rlimits, { nofile: { soft: 5, hard: 'unlimited' } })
    subject.apply('a', { spec: { command: ['a'], rlimits: { nofile: 'unlimited' } } })
    assert.deepEqual(subject.spec.rlimits, { nofile: 'unlimited' })
    assert.deepEqual(subject.owners, { 'a/Apply': { 'f:spec': { 'f:command': {}, 'f:rlimits': { 'f:nofile': {} } } } })
  })

  it('gives everything that was there before owners were kept to before-first-apply', () => {
    const subject = new OneObject()
    subject.update('edit', { spec: { command: ['a'] } })
    subject.update('edit', { metadata: { managedFields: [{}] } })
    assert.equal(subject.live?.metadata.managedFields, undefined)
    subject.update('edit', { spec: { ...subject.spec, nice: 1 } })
    assert.equal(subject.live?.metadata.managedFields, undefined, 'nobody is tracked until then')
    assert.match(
      conflictOf(() => subject.apply('b', { spec: { nice: 2 } })).message,
      /^Apply failed with 1 conflict: conflict with "before-first-apply" using pmk.dev\/v1 at [^ ]*: \.spec\.nice$/,
    )
    subject.apply('b', { spec: { nice: 1 } })
    assert.deepEqual(Object.keys(subject.owners), ['b/Apply', 'before-first-apply/Update'])
  })

  it('gives the status that was there to before-first-apply too, when it is the status that is applied', () => {
    const subject = new OneObject()
    subject.update('a', { spec: { command: ['a'] } })
    subject.update('a', { status: { replicas: 1 } }, 'status')
    subject.update('a', { metadata: { managedFields: [{}] } })
    const body = (replicas: number): Fields => ({ status: { replicas } })
    const refused = conflictOf(() => subject.apply('b', body(2), { subresource: 'status' }))
    assert.match(refused.message, /conflict with "before-first-apply" with subresource "status".*: \.status\.replicas$/)
    subject.apply('b', body(1), { subresource: 'status' })
    assert.deepEqual(Object.keys(subject.owners), ['b/Apply/status', 'before-first-apply/Update', 'before-first-apply/Update/status'])
  })

  it('owns the status through /status only, and there nothing else', () => {
    const subject = new OneObject()
    subject.apply('a', { spec: { command: ['a'] }, status: { replicas: 7 } })
    assert.equal('status' in (subject.live ?? {}), false)
    const condition = { type: 'Ready', status: 'True' }
    subject.apply(
      'c',
      { metadata: { labels: { x: 'y' } }, spec: { nice: 3 }, status: { conditions: [condition] } },
      { subresource: 'status' },
    )
    assert.equal('nice' in subject.spec, false)
    assert.equal(subject.live?.metadata.labels, undefined)
    assert.deepEqual(subject.owners['c/Apply/status'], {
      'f:status': { 'f:conditions': { 'k:{"type":"Ready"}': { '.': {}, 'f:status': {}, 'f:type': {} } } },
    })
    subject.apply('c', { spec: { nice: 1 } })
    assert.deepEqual(Object.keys(subject.owners).sort(), ['a/Apply', 'c/Apply', 'c/Apply/status'])
    assert.deepEqual((subject.live as unknown as { status: unknown }).status, { conditions: [condition] })
  })

  it('owns all of a kind without a status of its own', () => {
    const subject = new OneObject('ConfigMap')
    subject.apply('a', { data: { x: '1' } })
    subject.apply('b', { data: { y: '2' } })
    subject.apply('a', { data: { z: '3' } })
    assert.deepEqual((subject.live as unknown as { data: unknown }).data, { y: '2', z: '3' })
  })

  it('refuses managedFields, items that are there twice, and items without their keys', () => {
    const subject = new OneObject()
    assert.equal(conflictOf(() => subject.apply('a', { metadata: { managedFields: [{ manager: 'x' }] } })).status.code, 400)
    const invalid = (spec: Fields): unknown => conflictOf(() => subject.apply('a', { spec })).message
    assert.equal(
      invalid({ env: [{ name: 'A' }, { name: 'A' }] }),
      'Process.pmk.dev "web" is invalid: spec.env[1].name: Duplicate value: "A"',
    )
    assert.equal(invalid({ env: [{ value: 'A' }] }), 'Process.pmk.dev "web" is invalid: spec.env[0].name: Required value')
  })

  it('vanishes as an owner when it says nothing', () => {
    const subject = new OneObject()
    subject.apply('a', { spec: { command: ['a'] } })
    subject.apply('b', { spec: { nice: 1 } })
    subject.apply('b', {})
    assert.deepEqual(Object.keys(subject.owners), ['a/Apply'])
  })

  it('never alters the live object or the configuration', () => {
    const subject = new OneObject()
    subject.apply('a', { spec: { command: ['a'], env: [{ name: 'A', value: '1' }] } })
    const before = JSON.stringify(subject.live)
    const live = subject.live
    subject.apply('a', { spec: { command: ['b'] } })
    assert.equal(JSON.stringify(live), before)
  })
})

describe('applyConfiguration for kubectl', () => {
  const LAST = 'kubectl.kubernetes.io/last-applied-configuration'
  const manifest = (spec: Fields): Fields => ({ apiVersion: 'pmk.dev/v1', kind: 'Process', metadata: { name: 'web' }, spec })
  const clientSide = (spec: Fields): OneObject => {
    const subject = new OneObject()
    subject.update('kubectl-client-side-apply', { metadata: { annotations: { [LAST]: JSON.stringify(manifest(spec)) } }, spec })
    return subject
  }

  it('takes over from a client-side apply and keeps its annotation true', () => {
    const subject = clientSide({ command: ['a'], nice: 1, stopSteps: [{ signal: 'TERM' }] })
    subject.apply('kubectl', { spec: { command: ['b'], nice: 1, stopSteps: [{ signal: 'QUIT' }] } })
    assert.deepEqual(subject.spec.command, ['b'])
    const annotation = subject.live?.metadata.annotations?.[LAST] ?? ''
    assert.deepEqual(JSON.parse(annotation), manifest({ command: ['b'], nice: 1, stopSteps: [{ signal: 'QUIT' }] }))
    assert.equal(subject.apply('kubectl', { spec: { command: ['b'], nice: 1, stopSteps: [{ signal: 'QUIT' }] } }), subject.live)
  })

  it('conflicts about fields that somebody changed since', () => {
    const subject = clientSide({ command: ['a'], nice: 1 })
    subject.update('edit', { spec: { ...subject.spec, nice: 5 } })
    assert.match(
      conflictOf(() => subject.apply('kubectl', { spec: { command: ['b'], nice: 2 } })).message,
      /1 conflict: conflict with "edit".*: \.spec\.nice$/,
    )
  })

  it('forgives no other manager', () => {
    const subject = clientSide({ command: ['a'] })
    assert.match(conflictOf(() => subject.apply('flux', { spec: { command: ['b'] } })).message, /"kubectl-client-side-apply"/)
  })

  it('goes through with the way in which kubectl takes over the fields of its client-side apply', () => {
    const subject = clientSide({ command: ['a'], nice: 1 })
    subject.apply('kubectl', { spec: { command: ['a'] } })
    assert.equal(subject.spec.nice, 1, 'the client-side apply still owns it')
    const annotation = subject.live?.metadata.annotations?.[LAST] ?? ''
    subject.apply('kubectl-last-applied', { metadata: { annotations: { [LAST]: annotation } } })
    // kubectl hands the fields of the client-side apply to its own entry, in a JSON patch of managedFields.
    const entries = subject.live?.metadata.managedFields ?? []
    const old = entries.find(({ manager }) => manager === 'kubectl-client-side-apply')
    const managedFields = entries
      .filter((entry) => entry !== old)
      .map((entry) => (entry.manager === 'kubectl' ? { ...entry, fieldsV1: old?.fieldsV1 } : entry))
    subject.update('kubectl', { metadata: { managedFields } })
    assert.deepEqual(Object.keys(subject.owners), ['kubectl/Apply', 'kubectl-last-applied/Apply'])
    subject.apply('kubectl', { spec: { command: ['a'] } })
    assert.equal('nice' in subject.spec, false, 'now that nobody else says it, it goes')
    assert.equal(subject.spec.replicas, 1)
    assert.deepEqual(JSON.parse(subject.live?.metadata.annotations?.[LAST] ?? ''), manifest({ command: ['a'] }))
  })

  it('forgives what has the value of the annotation only, and of that version only', () => {
    const foreign = new OneObject()
    const text = JSON.stringify({ ...manifest({ command: ['a'] }), apiVersion: 'pmk.dev/v9' })
    foreign.update('kubectl-client-side-apply', { metadata: { annotations: { [LAST]: text } }, spec: { command: ['a'] } })
    assert.equal(conflictOf(() => foreign.apply('kubectl', { spec: { command: ['b'] } })).status.reason, 'Conflict')
    const without = new OneObject()
    without.update('kubectl-client-side-apply', { spec: { command: ['a'] } })
    assert.equal(conflictOf(() => without.apply('kubectl', { spec: { command: ['b'] } })).status.reason, 'Conflict')
    assert.equal(without.live?.metadata.annotations, undefined, 'an annotation that is not there is not made')
  })

  it('brings the annotation up to date even if nothing else changes, and once only', () => {
    const subject = new OneObject()
    subject.apply('kubectl', { spec: { command: ['a'] } })
    subject.update('edit', { metadata: { annotations: { [LAST]: '{}' } } })
    subject.apply('kubectl', { spec: { command: ['a'] } })
    assert.deepEqual(JSON.parse(subject.live?.metadata.annotations?.[LAST] ?? ''), manifest({ command: ['a'] }))
    assert.equal(subject.apply('kubectl', { spec: { command: ['a'] } }), subject.live)
  })

  it('is not impressed by an annotation that is no object', () => {
    const subject = clientSide({ command: ['a'] })
    subject.update('edit', { metadata: { annotations: { [LAST]: '{' } } })
    assert.equal(conflictOf(() => subject.apply('kubectl', { spec: { command: ['b'] } })).status.reason, 'Conflict')
  })
})

describe('trackUpdate', () => {
  it('gives the creator all that it sent, defaults included, but not what the server sets', () => {
    const subject = new OneObject('ConfigMap')
    subject.update('kubectl-create', { metadata: { labels: { a: 'b' }, uid: 'u', finalizers: ['x/y'] }, data: { k: 'v' } })
    assert.deepEqual(subject.live?.metadata.managedFields, [
      {
        manager: 'kubectl-create',
        operation: 'Update',
        apiVersion: 'v1',
        time: '2025-01-01T00:00:00Z',
        fieldsType: 'FieldsV1',
        fieldsV1: {
          'f:data': { '.': {}, 'f:k': {} },
          'f:metadata': { 'f:finalizers': { '.': {}, 'v:"x/y"': {} }, 'f:labels': { '.': {}, 'f:a': {} } },
        },
      },
    ])
  })

  it('takes over what it changes, and what it removes belongs to nobody', () => {
    const subject = new OneObject('ConfigMap')
    subject.update('a', { data: { x: '1', y: '1', z: '1' } })
    subject.update('b', { data: { x: '1', y: '2' } })
    assert.deepEqual(subject.owners, { 'a/Update': { 'f:data': { '.': {}, 'f:x': {} } }, 'b/Update': { 'f:data': { 'f:y': {} } } })
  })

  it('changes the time of an entry only when its manager wrote something', () => {
    const subject = new OneObject('ConfigMap')
    const times = (): unknown[] =>
      (subject.live?.metadata.managedFields ?? []).map(({ manager, time }) => `${manager} ${time?.slice(17, 19)}`)
    subject.update('a', { data: { x: '1', y: '1' } })
    subject.update('b', { data: { x: '1', y: '2' } })
    assert.deepEqual(times(), ['a 00', 'b 01'])
    const before = subject.live?.metadata.managedFields
    subject.update('b', { data: { x: '1', y: '2' } })
    assert.equal(subject.live?.metadata.managedFields, before, 'the very same list')
    subject.update('b', { data: { x: '1', y: '3' } })
    assert.deepEqual(times(), ['a 00', 'b 03'])
  })

  it('tells the status from the rest', () => {
    const subject = new OneObject()
    subject.update('a', { spec: { command: ['a'] } })
    subject.update('agent', { status: { replicas: 1 } }, 'status')
    subject.update('agent', { metadata: { labels: { a: 'b' } } })
    assert.deepEqual(subject.owners['agent/Update/status'], { 'f:status': { '.': {}, 'f:replicas': {} } })
    assert.deepEqual(subject.owners['agent/Update'], { 'f:metadata': { 'f:labels': { '.': {}, 'f:a': {} } } })
  })

  it('moves the replicas to the one who scales', () => {
    const subject = new OneObject()
    subject.apply('a', { spec: { command: ['a'], replicas: 1 } })
    subject.update('hpa', { spec: { ...subject.spec, replicas: 5 } }, 'scale')
    assert.deepEqual(subject.owners, {
      'a/Apply': { 'f:spec': { 'f:command': {} } },
      'hpa/Update/scale': { 'f:spec': { 'f:replicas': {} } },
    })
    subject.apply('a', { spec: { command: ['a'] } })
    assert.equal(subject.spec.replicas, 5)
  })

  it('takes managedFields from the main endpoint as they are given, and only whole ones', () => {
    const subject = new OneObject('ConfigMap')
    subject.update('a', { data: { x: '1' } })
    const entry = { manager: 'm', operation: 'Apply', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: { 'f:data': { 'f:x': {} } } }
    const stored = subject.live?.metadata.managedFields
    const broken = [{ fieldsV1: { data: {} } }, { operation: 'Guess' }, { apiVersion: '' }, { fieldsType: '' }]
    for (const managedFields of [undefined, ...broken.map((part) => [{ ...entry, ...part }])]) {
      subject.update('b', { metadata: { managedFields } })
      assert.deepEqual(subject.live?.metadata.managedFields, stored)
    }
    for (const none of [[], [{}]]) {
      subject.update('b', { metadata: { managedFields: [entry] } })
      assert.deepEqual(subject.live?.metadata.managedFields, [entry])
      subject.update('b', { data: { x: '2', y: '1' }, metadata: { managedFields: none } })
      assert.equal(subject.live?.metadata.managedFields, undefined)
    }
  })

  it('does not let a subresource change managedFields', () => {
    const subject = new OneObject()
    subject.update('a', { spec: { command: ['a'] } })
    const stored = subject.live?.metadata.managedFields
    subject.update('b', { metadata: { managedFields: [{}] } }, 'status')
    assert.deepEqual(subject.live?.metadata.managedFields, stored)
  })

  it('merges the oldest of more than ten updaters', () => {
    const subject = new OneObject('ConfigMap')
    const data: Record<string, string> = {}
    for (let index = 0; index < 13; index++) {
      data[`k${index}`] = 'v'
      subject.update(`m${index}`, { data: { ...data } })
    }
    assert.deepEqual(
      Object.keys(subject.owners),
      ['ancient-changes', 'm4', 'm5', 'm6', 'm7', 'm8', 'm9', 'm10', 'm11', 'm12'].map((manager) => `${manager}/Update`),
    )
    assert.deepEqual(subject.owners['ancient-changes/Update'], {
      'f:data': { '.': {}, 'f:k0': {}, 'f:k1': {}, 'f:k2': {}, 'f:k3': {} },
    })
    assert.equal(subject.live?.metadata.managedFields?.[0]?.time, '2025-01-01T00:00:03Z')
  })

  it('sorts entries by operation, then time, then manager', () => {
    const subject = new OneObject('ConfigMap')
    subject.update('u', { data: { a: '1' } })
    subject.apply('z', { data: { b: '1' } })
    subject.apply('y', { data: { c: '1' } })
    assert.deepEqual(Object.keys(subject.owners), ['z/Apply', 'y/Apply', 'u/Update'])
  })
})
