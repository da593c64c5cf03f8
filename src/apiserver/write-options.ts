import { asWord } from '../api/field-errors.ts'
import { isJsonObject } from '../base/json.ts'
import type { Admit, Body, DeleteQuery, UserInfo, WriteContext } from '../registry/registry.ts'
import { integerParameter, invalidOptions, type Query, textParameter, unsupportedValue } from './query.ts'

export type OptionsKind = 'CreateOptions' | 'UpdateOptions' | 'PatchOptions' | 'DeleteOptions'

const MAX_MANAGER_LENGTH = 128
const VALIDATIONS = ['Ignore', 'Warn', 'Strict'] as const
const POLICIES = ['Orphan', 'Background', 'Foreground'] as const

export interface WriteRequest {
  readonly query: Query
  readonly user: UserInfo
  readonly userAgent: string | undefined
  readonly warn: (text: string) => void
  readonly admit: Admit
}

/** What a write's query parameters say. Server-side apply needs a field manager of its own. */
export function writeContext(kind: OptionsKind, request: WriteRequest, options: { readonly apply?: boolean } = {}): WriteContext {
  const { query, user, userAgent, warn, admit } = request
  const manager = textParameter(query, 'fieldManager')
  if (manager === undefined && options.apply) {
    throw invalidOptions(kind, {
      field: 'fieldManager',
      reason: 'FieldValueRequired',
      message: 'Required value: is required for apply patch',
    })
  }
  return {
    user,
    fieldManager: checkManager(kind, manager) ?? managerOf(userAgent),
    dryRun: isDryRun(kind, query.getAll('dryRun')),
    fieldValidation: validation(kind, textParameter(query, 'fieldValidation')),
    warn,
    admit,
  }
}

/** DeleteOptions in the body, or else in the query. */
export function deleteOptions(
  body: Body | undefined,
  request: WriteRequest,
): { readonly query: DeleteQuery; readonly context: WriteContext } {
  const given = body === undefined ? fromQuery(request.query) : fromBody(body.value)
  const grace = given.gracePeriodSeconds
  const context = writeContext('DeleteOptions', request)
  return {
    query: {
      ...(given.uid === undefined ? {} : { uid: given.uid }),
      ...(given.resourceVersion === undefined ? {} : { resourceVersion: given.resourceVersion }),
      ...propagation(given),
      // What is negative means at once, but politely.
      ...(grace === undefined ? {} : { gracePeriodSeconds: grace < 0 ? 1 : grace }),
    },
    context: { ...context, dryRun: context.dryRun || isDryRun('DeleteOptions', given.dryRun) },
  }
}

interface GivenDeleteOptions {
  readonly uid?: string
  readonly resourceVersion?: string
  readonly propagationPolicy?: string
  readonly orphanDependents?: boolean
  readonly gracePeriodSeconds?: number
  readonly dryRun: readonly string[]
}

function fromQuery(query: Query): GivenDeleteOptions {
  const policy = textParameter(query, 'propagationPolicy')
  const orphan = textParameter(query, 'orphanDependents')
  const grace = integerParameter(query, 'gracePeriodSeconds')
  return {
    ...(policy === undefined ? {} : { propagationPolicy: policy }),
    ...(orphan === undefined ? {} : { orphanDependents: orphan === 'true' || orphan === '1' }),
    ...(grace === undefined ? {} : { gracePeriodSeconds: grace }),
    dryRun: [],
  }
}

function fromBody(value: unknown): GivenDeleteOptions {
  if (!isJsonObject(value)) throw wrongType('', 'object', value)
  if (value.kind !== undefined && value.kind !== 'DeleteOptions') {
    throw invalidOptions('DeleteOptions', unsupportedValue('kind', asWord(value.kind), ['DeleteOptions']))
  }
  const preconditions = value.preconditions ?? {}
  if (!isJsonObject(preconditions)) throw wrongType('preconditions', 'object', preconditions)
  const dryRun = value.dryRun ?? []
  if (!Array.isArray(dryRun) || !dryRun.every((item) => typeof item === 'string')) throw wrongType('dryRun', 'array of strings', dryRun)
  return {
    ...field(preconditions, 'uid', 'string', 'preconditions.'),
    ...field(preconditions, 'resourceVersion', 'string', 'preconditions.'),
    ...field(value, 'propagationPolicy', 'string'),
    ...field(value, 'orphanDependents', 'boolean'),
    ...field(value, 'gracePeriodSeconds', 'number'),
    dryRun,
  } as GivenDeleteOptions
}

function field(object: Readonly<Record<string, unknown>>, name: string, type: 'string' | 'boolean' | 'number', path = ''): object {
  const value = object[name]
  if (value === undefined || value === null) return {}
  if (typeof value !== type || (type === 'number' && !Number.isSafeInteger(value))) throw wrongType(`${path}${name}`, type, value)
  return { [name]: value }
}

function wrongType(path: string, type: string, value: unknown): Error {
  const message = `Invalid value: ${JSON.stringify(value)}: must be of type ${type}`
  return invalidOptions('DeleteOptions', { field: path, reason: 'FieldValueTypeInvalid', message })
}

function propagation({ propagationPolicy: policy, orphanDependents }: GivenDeleteOptions): Pick<DeleteQuery, 'propagation'> {
  if (policy === undefined) return orphanDependents === undefined ? {} : { propagation: orphanDependents ? 'Orphan' : 'Background' }
  if (orphanDependents !== undefined) {
    throw invalidOptions('DeleteOptions', {
      field: 'propagationPolicy',
      reason: 'FieldValueInvalid',
      message: `Invalid value: ${JSON.stringify(policy)}: orphanDependents and propagationPolicy cannot be both set`,
    })
  }
  const known = POLICIES.find((name) => name === policy)
  if (known === undefined) throw invalidOptions('DeleteOptions', unsupportedValue('propagationPolicy', policy, POLICIES))
  return { propagation: known }
}

function isDryRun(kind: OptionsKind, values: readonly string[]): boolean {
  for (const value of values) if (value !== 'All' && value !== '') throw invalidOptions(kind, unsupportedValue('dryRun', value, ['All']))
  return values.includes('All')
}

function validation(kind: OptionsKind, text: string | undefined): WriteContext['fieldValidation'] {
  if (text === undefined) return 'Warn'
  const known = VALIDATIONS.find((name) => name === text)
  if (known === undefined) throw invalidOptions(kind, unsupportedValue('fieldValidation', text, VALIDATIONS))
  return known
}

function checkManager(kind: OptionsKind, manager: string | undefined): string | undefined {
  if (manager === undefined) return undefined
  if ([...manager].length > MAX_MANAGER_LENGTH) {
    const message = `Too long: may not be more than ${MAX_MANAGER_LENGTH} bytes`
    throw invalidOptions(kind, { field: 'fieldManager', reason: 'FieldValueTooLong', message })
  }
  if (/\p{C}/u.test(manager)) {
    const message = `Invalid value: ${JSON.stringify(manager)}: should only contain printable characters`
    throw invalidOptions(kind, { field: 'fieldManager', reason: 'FieldValueInvalid', message })
  }
  return manager
}

/** The name a client goes by, without its version. */
function managerOf(userAgent: string | undefined): string {
  const name = (userAgent ?? '').split('/', 1)[0]?.replaceAll(/\p{C}/gu, '') ?? ''
  return [...name].slice(0, MAX_MANAGER_LENGTH).join('') || 'unknown'
}
