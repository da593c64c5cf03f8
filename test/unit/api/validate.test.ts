import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { strictDecodingError } from '../../../src/api/field-errors.ts'
import { formats } from '../../../src/api/formats.ts'
import { definitionOf, definitions } from '../../../src/api/scheme.ts'
import { hasReason } from '../../../src/api/status.ts'
import { decodeConfiguration, decodeObject, validateObject } from '../../../src/api/validate.ts'

const process = definitionOf('Process')
const strict = { fieldValidation: 'Strict' } as const

const web = (spec: unknown, metadata: unknown = { name: 'web' }): unknown => ({ apiVersion: 'pmk.dev/v1', kind: 'Process', metadata, spec })
const causesOf = (spec: unknown): string[] =>
  decodeObject(process, web(spec), strict).causes.map(({ field, reason, message }) => `${field} | ${reason.slice(10)} | ${message}`)

describe('decodeObject', () => {
  it('fills in defaults wherever the parent exists', () => {
    const { object, causes } = decodeObject(process, web({ command: ['sleep', '1'], readinessProbe: { tcpSocket: { port: 80 } } }), strict)
    const spec = object.spec as Record<string, unknown>
    assert.deepEqual(causes, [])
    assert.equal(spec.replicas, 1)
    assert.deepEqual(spec.updateStrategy, {
      type: 'RollingUpdate',
      rollingUpdate: { maxUnavailable: 1 },
      progressDeadline: '5m',
      paused: false,
    })
    assert.deepEqual(spec.readinessProbe, {
      tcpSocket: { port: 80, host: '127.0.0.1' },
      initialDelaySeconds: 0,
      periodSeconds: 10,
      timeoutSeconds: 1,
      successThreshold: 1,
      failureThreshold: 3,
    })
    assert.equal(spec.securityContext, undefined)
    assert.equal(spec.livenessProbe, undefined)
  })

  it('keeps values that are there, however false they look', () => {
    const { object } = decodeObject(
      process,
      web({ replicas: 0, logs: { compress: false, maxFiles: 0 }, successExitCodes: [], env: [], rlimits: {} }),
      strict,
    )
    const spec = object.spec as Record<string, unknown>
    assert.equal(spec.replicas, 0)
    assert.deepEqual(spec.logs, { compress: false, maxFiles: 0, maxSize: '50Mi', mergeStderr: true })
    assert.deepEqual([spec.successExitCodes, spec.env, spec.rlimits], [[], [], {}])
  })

  it('counts null as unset, so that the default applies', () => {
    const { object, causes, strictErrors } = decodeObject(
      process,
      web(
        { replicas: null, command: ['a'], nice: null, logs: null },
        { name: 'web', creationTimestamp: null, labels: { a: null, b: 'c' } },
      ),
      strict,
    )
    assert.deepEqual([causes, strictErrors], [[], []])
    const spec = object.spec as Record<string, unknown>
    assert.equal(spec.replicas, 1)
    assert.equal('nice' in spec, false)
    assert.deepEqual(Object.keys(spec.logs as object).sort(), ['compress', 'maxFiles', 'maxSize', 'mergeStderr'])
    assert.deepEqual(object.metadata, { name: 'web', labels: { b: 'c' } })
  })

  it('never alters what it is given, and gives a complete object back as it is', () => {
    const frozen = Object.freeze(web(Object.freeze({ command: Object.freeze(['a']) }), Object.freeze({ name: 'web' })))
    const { object } = decodeObject(process, frozen, strict)
    assert.equal(decodeObject(process, object, strict).object, object)
  })

  it('takes a number for a quantity', () => {
    const { object, causes } = decodeObject(process, web({ logs: { maxSize: 1048576 } }), strict)
    assert.deepEqual(causes, [])
    assert.equal((object.spec as { logs: { maxSize: unknown } }).logs.maxSize, '1048576')
  })

  it('drops unknown fields, names them with their paths, and guesses what was meant', () => {
    const { object, strictErrors } = decodeObject(
      process,
      {
        ...(web({
          replcas: 2,
          bogus: 1,
          Command: ['x'],
          compress: true,
          env: [{ name: 'A', vaule: 'b' }],
          rlimits: { nofile: { softt: 1 } },
        }) as object),
        replicas: 3,
      },
      { ...strict, duplicates: ['spec.env'] },
    )
    assert.deepEqual(strictErrors, [
      'unknown field "spec.replcas" (did you mean spec.replicas?)',
      'unknown field "spec.bogus"',
      'unknown field "spec.Command" (did you mean spec.command?)',
      'unknown field "spec.compress" (did you mean spec.logs.compress?)',
      'unknown field "spec.env[0].vaule" (did you mean spec.env[0].value?)',
      'unknown field "spec.rlimits[nofile].softt" (did you mean spec.rlimits[nofile].soft?)',
      'unknown field "replicas" (did you mean spec.replicas?)',
      'duplicate field "spec.env"',
    ])
    const spec = object.spec as Record<string, unknown>
    assert.deepEqual(spec.env, [{ name: 'A' }])
    assert.equal('bogus' in spec || 'replicas' in object, false)
  })

  it('warns under Warn, says nothing under Ignore', () => {
    const warnings: string[] = []
    const warn = (text: string): void => void warnings.push(text)
    const value = web({ bogus: 1 })
    assert.equal('bogus' in (decodeObject(process, value, { fieldValidation: 'Warn', warn }).object.spec as object), false)
    assert.deepEqual(warnings, ['unknown field "spec.bogus"'])
    const ignored = decodeObject(process, value, { fieldValidation: 'Ignore', duplicates: ['a'], warn })
    assert.deepEqual([ignored.strictErrors, warnings.length, 'bogus' in (ignored.object.spec as object)], [[], 1, false])
  })

  it('keeps the free parts of an object as they are', () => {
    const template = { anything: [{ goes: null }] }
    const revision = {
      apiVersion: 'pmk.dev/v1',
      kind: 'Revision',
      metadata: { name: 'r' },
      revision: 1,
      spec: { process: 'web', template },
    }
    const { object, strictErrors, causes } = decodeObject(definitionOf('Revision'), revision, strict)
    assert.deepEqual([object.spec, strictErrors, causes], [{ process: 'web', template }, [], []])
  })

  it('is not led astray by names that every JavaScript object has', () => {
    const value = JSON.parse(
      '{"apiVersion":"pmk.dev/v1","kind":"Process","metadata":{"name":"a","labels":{"__proto__":"x"}},"spec":{"constructor":1,"__proto__":{"nice":5}}}',
    )
    const { object, strictErrors } = decodeObject(process, value, strict)
    assert.deepEqual(strictErrors, ['unknown field "spec.constructor"', 'unknown field "spec.__proto__"'])
    assert.equal((object.spec as { nice?: number }).nice, undefined)
    assert.deepEqual(Object.keys(object.metadata.labels ?? {}), ['__proto__'])
  })

  it('refuses what is not an object at all with BadRequest', () => {
    for (const value of [null, [], 'x', 1]) {
      assert.throws(
        () => decodeObject(process, value, strict),
        (err) => hasReason(err, 'BadRequest'),
      )
    }
  })

  it('asks for apiVersion, kind and spec, not for what the server sets', () => {
    const { causes } = decodeObject(process, { kind: 'Proces' }, strict)
    assert.deepEqual(causes, [
      { field: 'apiVersion', reason: 'FieldValueRequired', message: 'Required value' },
      { field: 'spec', reason: 'FieldValueRequired', message: 'Required value' },
      { field: 'kind', reason: 'FieldValueNotSupported', message: 'Unsupported value: "Proces": supported values: "Process"' },
    ])
  })

  const table: [unknown, ...string[]][] = [
    [{ replicas: 'x' }, 'spec.replicas | TypeInvalid | Invalid value: "string": must be an integer'],
    [{ replicas: 1.5 }, 'spec.replicas | TypeInvalid | Invalid value: "number": must be an integer'],
    [{ replicas: -1 }, 'spec.replicas | Invalid | Invalid value: -1: must be at least 0'],
    [{ replicas: 10001 }, 'spec.replicas | Invalid | Invalid value: 10001: must be at most 10000'],
    [{ command: [] }, 'spec.command | Invalid | Invalid value: []: must have at least 1 item'],
    [{ command: 'a b' }, 'spec.command | TypeInvalid | Invalid value: "string": must be a list'],
    [{ command: [null] }, 'spec.command[0] | TypeInvalid | Invalid value: "null": must be a string'],
    [{ killScope: 'All' }, 'spec.killScope | NotSupported | Unsupported value: "All": supported values: "Tree", "Group", "Main"'],
    [{ env: [{ value: 'a' }] }, 'spec.env[0].name | Required | Required value'],
    [
      { env: [{ name: 'A' }, { name: 'B' }, { name: '1C' }] },
      'spec.env[2].name | Invalid | Invalid value: "1C": must be the name of a variable: letters, digits and _, not beginning with a digit',
    ],
    [{ env: [{ name: 'A' }, { name: 'B' }, { name: 'A' }] }, 'spec.env[2].name | Duplicate | Duplicate value: "A"'],
    [{ rlimits: { nofile: -1 } }, 'spec.rlimits[nofile] | Invalid | Invalid value: -1: must be at least 0'],
    [{ rlimits: { nofile: 'many' } }, 'spec.rlimits[nofile] | NotSupported | Unsupported value: "many": supported values: "unlimited"'],
    [
      { rlimits: { nofile: true } },
      'spec.rlimits[nofile] | TypeInvalid | Invalid value: "boolean": must be an integer, a string or an object',
    ],
    [
      { rlimits: { nofile: { soft: 'x' } } },
      'spec.rlimits[nofile].soft | NotSupported | Unsupported value: "x": supported values: "unlimited"',
    ],
    [{ rlimits: { nofile: { soft: 1, hard: 'unlimited' }, core: 0, stack: 'unlimited' } }],
    [
      { startDelay: '5 min' },
      'spec.startDelay | Invalid | Invalid value: "5 min": must be a duration such as 1h30m, 10s or 500ms: whole numbers with h, m, s and ms, in this order',
    ],
    [{ startDelay: 5 }, 'spec.startDelay | TypeInvalid | Invalid value: "integer": must be a string'],
    [{ logs: { maxSize: 'big' } }, 'spec.logs.maxSize | Invalid | Invalid value: "big": must be a quantity such as 500m, 2, 100M or 512Mi'],
    [
      { stopSignal: 'TREM' },
      'spec.stopSignal | Invalid | Invalid value: "TREM": must be the name of a signal such as TERM, SIGTERM, HUP or RTMIN+1',
    ],
    [{ stopSignal: 'SIGQUIT', stopSteps: [{ signal: 'rtmin+3' }] }],
    [
      { suspendUntil: 'tomorrow' },
      'spec.suspendUntil | Invalid | Invalid value: "tomorrow": must be a time in RFC 3339 form such as 2025-01-31T12:00:00Z',
    ],
    [
      { suspendUntil: '2025-02-30T00:00:00Z' },
      'spec.suspendUntil | Invalid | Invalid value: "2025-02-30T00:00:00Z": must be a time in RFC 3339 form such as 2025-01-31T12:00:00Z',
    ],
    [{ suspendUntil: '2024-02-29T23:59:60.123456+02:00' }],
    [{ workingDir: 'srv' }, 'spec.workingDir | Invalid | Invalid value: "srv": must be an absolute path, beginning with /'],
    [{ updateStrategy: { rollingUpdate: { maxUnavailable: '25%' } } }],
    [
      { updateStrategy: { rollingUpdate: { maxUnavailable: 'x' } } },
      'spec.updateStrategy.rollingUpdate.maxUnavailable | Invalid | Invalid value: "x": must be a number or a percentage such as 25%',
    ],
    [
      { updateStrategy: { rollingUpdate: { maxUnavailable: true } } },
      'spec.updateStrategy.rollingUpdate.maxUnavailable | TypeInvalid | Invalid value: "boolean": must be an integer or a string',
    ],
    ['x', 'spec | TypeInvalid | Invalid value: "string": must be an object'],
    [
      { replicas: 'x', nice: 40 },
      'spec.replicas | TypeInvalid | Invalid value: "string": must be an integer',
      'spec.nice | Invalid | Invalid value: 40: must be at most 19',
    ],
  ]
  for (const [spec, ...expected] of table) {
    it(`judges ${JSON.stringify(spec)}`, () => assert.deepEqual(causesOf(spec), expected))
  }

  it('names a limit that does not exist, and those that do', () => {
    const [cause] = causesOf({ rlimits: { open_files: 5 } })
    assert.match(
      cause ?? '',
      /^spec\.rlimits\[open_files\] \| NotSupported \| Unsupported value: "open_files": supported values: "as", "core", .*"stack"$/,
    )
  })

  it('shows no content of Secrets, and no headers', () => {
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, data: { password: 'hunter2!' } }
    const { causes } = decodeObject(definitionOf('Secret'), secret, strict)
    assert.deepEqual(causes, [
      {
        field: 'data[password]',
        reason: 'FieldValueInvalid',
        message: 'Invalid value: (hidden): must be base64 with padding: what `base64` prints',
      },
    ])
    const header = { name: 'Authorization', value: 'Bearer hunter2\n' }
    assert.doesNotMatch(causesOf({ livenessProbe: { httpGet: { port: 1, httpHeaders: [header] } } }).join(), /hunter2/)
  })

  it('accepts base64 in several lines', () => {
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, data: { a: 'aGVs\nbG8=\n' } }
    assert.deepEqual(decodeObject(definitionOf('Secret'), secret, strict).causes, [])
  })

  it('shortens a long value in messages', () => {
    const [cause = ''] = causesOf({ workingDir: 'x'.repeat(500) })
    assert.ok(cause.length < 250, cause)
    assert.match(cause, /xxx…": must be an absolute path/)
  })
})

describe('decodeConfiguration', () => {
  it('drops unknown fields but keeps nulls, and adds nothing', () => {
    const { object, strictErrors } = decodeConfiguration(process, web({ replicas: null, bogus: 1, logs: {} }), strict)
    assert.deepEqual(object.spec, { replicas: null, logs: {} })
    assert.deepEqual(strictErrors, ['unknown field "spec.bogus"'])
  })
})

describe('strictDecodingError', () => {
  it('is 400 for a body and 422 for a patch', () => {
    const { strictErrors } = decodeObject(process, web({ bogus: 1 }), { ...strict, duplicates: ['spec.x'] })
    const body = strictDecodingError(process, strictErrors, 'body').status
    assert.deepEqual(
      [body.code, body.message],
      [
        400,
        'Process in version "v1" cannot be handled as a Process: strict decoding error: unknown field "spec.bogus", duplicate field "spec.x"',
      ],
    )
    const patch = strictDecodingError(process, ['unknown field "spec.bogus"'], 'patch', 'web').status
    assert.deepEqual(
      [patch.code, patch.message],
      [422, 'Process.pmk.dev "web" is invalid: patch: strict decoding error: unknown field "spec.bogus"'],
    )
  })
})

describe('validateObject', () => {
  it('judges a finished object', () => {
    assert.deepEqual(validateObject(process, web({ command: ['a'] })), [])
    assert.equal(validateObject(process, web({ nice: 99 })).length, 1)
  })
})

describe('the schemas of the kinds', () => {
  for (const definition of definitions) {
    it(`are sound: ${definition.kind}`, () => {
      const ajv = new Ajv2020({ strict: false })
      assert.ok(ajv.validateSchema(definition.schema), ajv.errorsText())
      assert.notDeepEqual(validateObject(definition, {}), [])
    })

    it(`name only formats that are checked: ${definition.kind}`, () => {
      const named = [...JSON.stringify(definition.schema).matchAll(/"format":"([^"]+)"/g)].map(([, name]) => name ?? '')
      assert.deepEqual(
        named.filter((name) => !Object.hasOwn(formats, name)),
        [],
      )
    })
  }
})

it('refuses a number that is too large to be one, which would be stored as null', () => {
  const event = { apiVersion: 'v1', kind: 'Event', metadata: { name: 'e' }, involvedObject: {}, count: JSON.parse('1e309') as number }
  const fields = validateObject(definitionOf('Event'), event).map(({ field }) => field)
  assert.ok(fields.includes('count'), `causes for ${fields}`)
})
