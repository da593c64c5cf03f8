import { isKubernetesKind, type ResourceDefinition } from '../api/scheme.ts'
import { apiError } from '../api/status.ts'
import { parseYaml, YamlError } from '../base/yaml.ts'
import type { Patch } from '../client/client.ts'
import type { Body } from '../registry/registry.ts'
import { parseJson } from './json-body.ts'
import { decodeProtobuf, decodeDeleteOptions as deleteOptionsOf, type ExpectedKind, hasProtobufForm, PROTOBUF } from './protobuf-body.ts'

/** More operations than this in one JSON patch are refused, as Kubernetes does. */
const MAX_OPERATIONS = 10_000

/** YAML is read some hundred times more slowly than JSON, and nothing else is done meanwhile. */
const MAX_YAML = 256 * 1024

const JSON_PATCH = 'application/json-patch+json'
const MERGE_PATCH = 'application/merge-patch+json'
const APPLY_PATCH = 'application/apply-patch+yaml'
const STRATEGIC_PATCH = 'application/strategic-merge-patch+json'

export interface RawBody {
  readonly contentType: string | undefined
  /** Undefined or empty: there is none. */
  readonly bytes: Uint8Array | undefined
}

/** An object in a POST or PUT. Without a Content-Type it is JSON. Kubernetes' own kinds may also come in protobuf. */
export function decodeObject(body: RawBody, expected?: ExpectedKind): Body {
  return decodeAny(body, expected !== undefined && hasProtobufForm(expected) ? (bytes) => decodeProtobuf(bytes, expected) : undefined)
}

/** DeleteOptions, which may be left out. In protobuf too, whatever is deleted. */
export function decodeDeleteOptions(body: RawBody): Body | undefined {
  return body.bytes === undefined || body.bytes.length === 0 ? undefined : decodeAny(body, deleteOptionsOf)
}

function decodeAny(body: RawBody, ofProtobuf: ((bytes: Uint8Array) => object) | undefined): Body {
  const type = mediaType(body.contentType)
  switch (type) {
    case '':
    case 'application/json':
      return decodeJson(requireText(body))
    case 'application/yaml':
      return decodeYaml(requireText(body))
    case PROTOBUF:
      if (ofProtobuf !== undefined) return { value: ofProtobuf(requireBytes(body)), duplicates: [] }
      break
  }
  throw unknownFormat(['application/json', 'application/yaml', ...(ofProtobuf === undefined ? [] : [PROTOBUF])])
}

/** The patch of a PATCH request, with the duplicate keys that were in it. */
export function decodePatch(body: RawBody, force: boolean | undefined): { readonly patch: Patch; readonly duplicates: readonly string[] } {
  const type = mediaType(body.contentType)
  if (force !== undefined && type !== APPLY_PATCH) {
    throw apiError('Invalid', 'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch', {
      group: 'meta.k8s.io',
      kind: 'PatchOptions',
      causes: [{ reason: 'FieldValueForbidden', message: 'Forbidden: may not be specified for non-apply patch', field: 'force' }],
    })
  }
  switch (type) {
    case JSON_PATCH: {
      const { value, duplicates } = decodeJson(requireText(body))
      if (!Array.isArray(value)) throw apiError('BadRequest', 'a JSON patch is an array of operations')
      if (value.length > MAX_OPERATIONS) {
        throw apiError('RequestEntityTooLarge', `the patch has ${value.length} operations, ${MAX_OPERATIONS} are allowed`)
      }
      return { patch: { type: 'json', operations: value }, duplicates }
    }
    case MERGE_PATCH: {
      const { value, duplicates } = decodeJson(requireText(body))
      return { patch: { type: 'merge', value }, duplicates }
    }
    case APPLY_PATCH: {
      const { value, duplicates } = decodeYamlOrJson(requireText(body))
      return { patch: force === undefined ? { type: 'apply', value } : { type: 'apply', value, force }, duplicates }
    }
    case STRATEGIC_PATCH: {
      const { value, duplicates } = decodeJson(requireText(body))
      return { patch: { type: 'strategic', value }, duplicates }
    }
    default:
      throw unknownFormat([JSON_PATCH, MERGE_PATCH, APPLY_PATCH, STRATEGIC_PATCH])
  }
}

/**
 * The patches that clients are told of. Every kind takes strategic merge patches, which `kubectl patch` sends unless it is told otherwise;
 * but where they are announced, `kubectl apply` sends them too, and has to know how each list is merged: of our own kinds it doesn't.
 */
export function announcedPatchTypes(definition: ResourceDefinition): readonly string[] {
  const types = [JSON_PATCH, MERGE_PATCH, APPLY_PATCH]
  return isKubernetesKind(definition) ? [...types, STRATEGIC_PATCH] : types
}

function unknownFormat(types: readonly string[]): Error {
  return apiError(
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${types.join(', ')}`,
  )
}

function mediaType(contentType: string | undefined): string {
  return (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
}

function requireBytes({ bytes }: RawBody): Uint8Array {
  if (bytes === undefined || bytes.length === 0) throw apiError('BadRequest', 'the body of the request is empty')
  return bytes
}

function requireText(body: RawBody): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(requireBytes(body))
  } catch (err) {
    throw apiError('BadRequest', 'the body of the request is not UTF-8', undefined, { cause: err })
  }
}

function decodeJson(text: string): Body {
  try {
    return parseJson(text)
  } catch (err) {
    if (!(err instanceof SyntaxError)) throw err
    throw apiError('BadRequest', `the body of the request is not JSON: ${err.message}`, undefined, { cause: err })
  }
}

function decodeYaml(text: string): Body {
  if (text.length > MAX_YAML) throw apiError('RequestEntityTooLarge', `a body in YAML may have ${MAX_YAML} bytes: send it as JSON`)
  try {
    const documents = parseYaml(text).filter((document) => document.value !== undefined)
    const [document] = documents
    if (document === undefined) throw apiError('BadRequest', 'the body of the request is empty')
    if (documents.length > 1) throw apiError('BadRequest', `the body of the request holds ${documents.length} documents instead of one`)
    return { value: document.value, duplicates: document.duplicates.map(({ path }) => path) }
  } catch (err) {
    if (!(err instanceof YamlError)) throw err
    const { line, column } = err.position
    throw apiError('BadRequest', `the body of the request is not YAML: line ${line}, column ${column}: ${err.message}`, undefined, {
      cause: err,
    })
  }
}

/** Clients send JSON as YAML, of which it is a subset; it is read much faster as what it is. */
function decodeYamlOrJson(text: string): Body {
  if (!text.trimStart().startsWith('{')) return decodeYaml(text)
  try {
    return parseJson(text)
  } catch (err) {
    if (!(err instanceof SyntaxError)) throw err
    return decodeYaml(text)
  }
}
