import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requestInfo } from '../../../src/apiserver/request-info.ts'

const P = '/apis/pmk.dev/v1'
const rows: readonly [request: string, told: string][] = [
  ['GET /api/v1/namespaces', 'list . namespaces'],
  ['GET /api/v1/namespaces/shop', 'get . namespaces name=shop ns=shop'],
  ['PUT /api/v1/namespaces/shop/finalize', 'update . namespaces/finalize name=shop ns=shop'],
  ['PATCH /api/v1/namespaces/shop/status', 'patch . namespaces/status name=shop ns=shop'],
  ['GET /api/v1/namespaces/shop/secrets?watch=1', 'watch . secrets ns=shop'],
  ['GET /api/v1/namespaces/shop/secrets?watch=false', 'list . secrets ns=shop'],
  ['GET /api/v1/namespaces/shop/secrets/db?watch', 'watch . secrets name=db ns=shop'],
  ['HEAD /api/v1/namespaces/shop/secrets/db', 'get . secrets name=db ns=shop'],
  [`POST ${P}/namespaces/shop/processes`, 'create pmk.dev processes ns=shop'],
  [`PUT ${P}/namespaces/shop/processes/web/scale`, 'update pmk.dev processes/scale name=web ns=shop'],
  [`POST ${P}/namespaces/shop/processes/web/signal`, 'create pmk.dev processes/signal name=web ns=shop'],
  [`DELETE ${P}/namespaces/shop/processes`, 'deletecollection pmk.dev processes ns=shop'],
  [`DELETE ${P}/tokens/ci`, 'delete pmk.dev tokens name=ci'],
  [`GET ${P}/processes`, 'list pmk.dev processes'],
  [`GET ${P}/namespaces/a%2Fb/processes/%zz`, 'get pmk.dev processes name=%zz ns=a/b'],
  [`GET ${P}`, 'get /apis/pmk.dev/v1'],
  ['GET /api/v1', 'get /api/v1'],
  ['POST /nowhere?token=hush', 'post /nowhere'],
  ['GET /', 'get /'],
]

for (const [request, told] of rows) {
  test(`${request}: ${told}`, () => {
    const [method = '', url = ''] = request.split(' ')
    const { verb, group, resource, subresource, name, namespace, path } = requestInfo(method, url)
    const what = resource === '' ? path : `${group || '.'} ${resource}${subresource && `/${subresource}`}`
    assert.equal(`${verb} ${what}${name && ` name=${name}`}${namespace && ` ns=${namespace}`}`, told)
  })
}
