import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { recordedBodies } from '../fixtures/kubectl-bodies.ts'
import { PROCESSES, processNamed, TestApiServer } from '../support/api-server.ts'
import { kubernetesBody } from '../support/protobuf.ts'

const headers = { 'content-type': 'application/vnd.kubernetes.protobuf', accept: 'application/vnd.kubernetes.protobuf,application/json' }

describe('an API server that is sent Kubernetes protobuf', () => {
  let server: TestApiServer
  before(async () => {
    server = await TestApiServer.start()
  })
  after(() => server.stop())

  test('stores what an older kubectl would have sent as JSON, and answers in JSON', async () => {
    const written = recordedBodies.filter(({ path }) => path.startsWith('/api/v1/'))
    assert.equal(written.length, 3)
    for (const { path, json, protobuf } of written) {
      const query = '?fieldManager=kubectl-create&fieldValidation=Strict'
      const created = await server.raw('POST', path + query, { headers, body: Buffer.from(protobuf, 'base64') })
      assert.equal(created.status, 201, created.text)
      assert.equal(created.headers['content-type'], 'application/json')
      const name = JSON.parse(json).metadata.name
      const second = JSON.parse(json.replace(`"name":"${name}"`, `"name":"${name}-2"`))
      const twin = await server.send('POST', path + query, second)
      const { metadata: _, ...content } = created.json
      const { metadata: __, ...twinContent } = twin.json
      assert.deepEqual(content, twinContent)
      assert.deepEqual(created.json.metadata.managedFields[0]?.fieldsV1, twin.json.metadata.managedFields[0]?.fieldsV1)
    }
  })

  test('answers the questions about rights and identity as if they had come as JSON', async () => {
    const reviews = recordedBodies.filter(({ path }) => path.endsWith('reviews'))
    assert.equal(reviews.length, 5)
    for (const { command, path, json, protobuf } of reviews) {
      const asked = await server.raw('POST', path, { headers, body: Buffer.from(protobuf, 'base64') })
      const twin = await server.send('POST', path, json)
      assert.deepEqual([asked.status, asked.json.kind], [201, JSON.parse(json).kind], `${command}: ${asked.text}`)
      assert.deepEqual([asked.json.spec, asked.json.status], [twin.json.spec, twin.json.status], command)
    }
  })

  test('stores roles and who has them', async () => {
    const roles = recordedBodies.filter(({ path }) => path.startsWith('/apis/rbac.authorization.k8s.io/'))
    assert.equal(roles.length, 5)
    for (const { command, path, json, protobuf } of roles) {
      const created = await server.raw('POST', path, { headers, body: Buffer.from(protobuf, 'base64') })
      assert.equal(created.status, 201, `${command}: ${created.text}`)
      const { metadata, ...content } = created.json
      assert.equal((await server.raw('DELETE', `${path}/${metadata.name}`)).status, 200)
      const { metadata: _, ...twin } = (await server.send('POST', path, json)).json
      assert.deepEqual(content, twin, command)
    }
  })

  test('replaces by PUT under the lock of a resourceVersion', async () => {
    const path = '/api/v1/namespaces/default/configmaps'
    await server.send('POST', path, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'put' }, data: { a: '1' } })
    const { json } = await server.raw('GET', `${path}/put`)
    const put = (version: string, value: string) =>
      server.raw('PUT', `${path}/put`, {
        headers,
        body: kubernetesBody('v1', 'ConfigMap', { 1: { 1: 'put', 3: 'default', 6: version }, 2: { 1: 'a', 2: value } }),
      })
    const replaced = await put(json.metadata.resourceVersion, '2')
    assert.equal(replaced.status, 200, replaced.text)
    assert.deepEqual(replaced.json.data, { a: '2' })
    assert.equal((await put(json.metadata.resourceVersion, '3')).status, 409)
  })

  test('takes DeleteOptions in it for every kind', async () => {
    await server.send('POST', PROCESSES, processNamed('gone'))
    const remove = (uid: string) =>
      server.raw('DELETE', `${PROCESSES}/gone`, {
        headers,
        body: kubernetesBody('v1', 'DeleteOptions', { 2: { 1: uid }, 4: 'Foreground' }),
      })
    const refused = await remove('another')
    assert.equal(refused.status, 409, refused.text)
    const { json } = await server.raw('GET', `${PROCESSES}/gone`)
    const deleted = await remove(json.metadata.uid)
    assert.equal(deleted.status, 200, deleted.text)
    assert.ok(deleted.json.metadata.finalizers.includes('foregroundDeletion'))
  })

  test('refuses our own kinds in it with 415, and what is broken with 400, each as a Status', async () => {
    const own = await server.raw('POST', PROCESSES, { headers, body: kubernetesBody('pmk.dev/v1', 'Process', {}) })
    assert.deepEqual([own.status, own.json.reason], [415, 'UnsupportedMediaType'])
    const broken = await server.raw('POST', '/api/v1/namespaces', { headers, body: Buffer.from('k8s\0\u0012\u0005') })
    assert.deepEqual([broken.status, broken.json.reason, broken.json.kind], [400, 'BadRequest', 'Status'])
    assert.match(broken.json.message, /not Kubernetes protobuf: it ends within a value/)
    const patch = await server.raw('PATCH', '/api/v1/namespaces/default', { headers, body: kubernetesBody('v1', 'Namespace', {}) })
    assert.equal(patch.status, 415)
  })
})
