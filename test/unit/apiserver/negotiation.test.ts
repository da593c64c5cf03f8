import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasReason } from '../../../src/api/status.ts'
import {
  negotiate,
  negotiateDiscovery,
  RESOURCE,
  RESOURCE_LIST,
  RESOURCE_WATCH,
  type Renderable,
} from '../../../src/apiserver/negotiation.ts'

const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io'
const BETA_TABLE = 'application/json;as=Table;v=v1beta1;g=meta.k8s.io'
const PARTIAL = 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io'
const PARTIAL_LIST = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io'
const PROTOBUF = 'application/vnd.kubernetes.protobuf'

const rows: readonly {
  readonly accept: string | undefined
  readonly can: ReadonlySet<Renderable>
  readonly expect: object | 'NotAcceptable'
}[] = [
  { accept: undefined, can: RESOURCE, expect: { as: 'json' } },
  { accept: '', can: RESOURCE, expect: { as: 'json' } },
  { accept: '*/*', can: RESOURCE, expect: { as: 'json' } },
  { accept: 'application/*', can: RESOURCE, expect: { as: 'json' } },
  { accept: 'application/json', can: RESOURCE, expect: { as: 'json' } },
  { accept: 'application/json;stream=watch', can: RESOURCE_WATCH, expect: { as: 'json' } },
  { accept: 'Application/JSON; q=0.5', can: RESOURCE, expect: { as: 'json' } },
  { accept: `${TABLE},${BETA_TABLE},application/json`, can: RESOURCE_LIST, expect: { as: 'table', version: 'v1' } },
  { accept: `${BETA_TABLE}, application/json`, can: RESOURCE_LIST, expect: { as: 'table', version: 'v1beta1' } },
  { accept: 'application/json; g=meta.k8s.io ;v=v1; as=Table', can: RESOURCE, expect: { as: 'table', version: 'v1' } },
  { accept: TABLE, can: new Set(), expect: 'NotAcceptable' },
  { accept: `${TABLE},application/json`, can: new Set(), expect: { as: 'json' } },
  { accept: 'application/json;as=Table;v=v2;g=meta.k8s.io', can: RESOURCE, expect: 'NotAcceptable' },
  { accept: 'application/json;as=Table;v=v1;g=other', can: RESOURCE, expect: 'NotAcceptable' },
  { accept: PARTIAL, can: RESOURCE, expect: { as: 'metadata' } },
  { accept: PARTIAL, can: RESOURCE_WATCH, expect: { as: 'metadata' } },
  { accept: PARTIAL, can: RESOURCE_LIST, expect: 'NotAcceptable' },
  { accept: PARTIAL_LIST, can: RESOURCE_LIST, expect: { as: 'metadata' } },
  { accept: PARTIAL_LIST, can: RESOURCE, expect: 'NotAcceptable' },
  { accept: `${PROTOBUF},application/json`, can: RESOURCE, expect: { as: 'json' } },
  { accept: PROTOBUF, can: RESOURCE, expect: 'NotAcceptable' },
  { accept: 'application/cbor', can: RESOURCE, expect: 'NotAcceptable' },
  { accept: 'text/html', can: RESOURCE, expect: 'NotAcceptable' },
  { accept: 'text/html,*/*;q=0.1', can: RESOURCE, expect: { as: 'json' } },
  { accept: 'application/yaml', can: RESOURCE, expect: { as: 'yaml' } },
  { accept: 'application/yaml', can: RESOURCE_WATCH, expect: 'NotAcceptable' },
]
for (const { accept, can, expect } of rows) {
  test(`Accept ${accept} of ${[...can].join('+') || 'json only'} gives ${JSON.stringify(expect)}`, () => {
    if (expect === 'NotAcceptable')
      assert.throws(
        () => negotiate(accept, can),
        (err) => hasReason(err, 'NotAcceptable'),
      )
    else assert.deepEqual(negotiate(accept, can), expect)
  })
}

const V2 = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
const V2BETA1 = 'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList'
const discovery: readonly { readonly accept: string | undefined; readonly expect: string }[] = [
  { accept: undefined, expect: 'plain' },
  { accept: '*/*', expect: 'plain' },
  { accept: 'application/json', expect: 'plain' },
  { accept: `${V2},${V2BETA1},application/json`, expect: 'v2' },
  { accept: `${V2BETA1},application/json`, expect: 'v2beta1' },
  { accept: `${V2};profile=nopeer,application/json`, expect: 'v2' },
  { accept: 'application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io', expect: 'v2' },
  { accept: `application/json;g=apidiscovery.k8s.io;v=v3;as=APIGroupDiscoveryList,${V2BETA1}`, expect: 'v2beta1' },
  { accept: `${PROTOBUF},application/json`, expect: 'plain' },
]
for (const { accept, expect } of discovery) {
  test(`discovery for ${accept} is ${expect}`, () => assert.equal(negotiateDiscovery(accept), expect))
}

test('discovery in a form that does not exist is not acceptable', () => {
  assert.throws(
    () => negotiateDiscovery(PROTOBUF),
    (err) => hasReason(err, 'NotAcceptable'),
  )
})
