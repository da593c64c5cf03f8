import { requireModest } from '../api/size.ts'
import { apiError } from '../api/status.ts'
import { decodeMessage } from './protobuf-decode.ts'
import { deleteOptions, envelope, type MessageType, messageOf } from './protobuf-messages.ts'
import { ProtobufError } from './protobuf-wire.ts'

/** Content type of bodies in which clients built on client-go send what is Kubernetes' own. */
export const PROTOBUF = 'application/vnd.kubernetes.protobuf'

export interface ExpectedKind {
  readonly apiVersion: string
  readonly kind: string
}

/** `k8s` and a zero byte stand before every body. */
const MAGIC = [0x6b, 0x38, 0x73, 0x00]

/** Whether a kind can be sent in protobuf: Kubernetes' own kinds can. */
export function hasProtobufForm(expected: ExpectedKind): boolean {
  return messageOf(expected) !== undefined
}

/**
 * The JSON object that a client would have sent in place of these bytes: the same fields, with what is unset left out. Unknown fields are
 * skipped, as by Kubernetes. Throws ApiError: BadRequest for what is no such message, or of another kind; RequestEntityTooLarge.
 */
export function decodeProtobuf(bytes: Uint8Array, expected: ExpectedKind): object {
  const message = messageOf(expected)
  if (message === undefined) throw new Error(`${expected.kind} of ${expected.apiVersion} has no form in protobuf`)
  return decode(bytes, message, ({ apiVersion = expected.apiVersion, kind = expected.kind }) => {
    if (kind !== expected.kind || apiVersion !== expected.apiVersion) {
      throw new ProtobufError(`it holds a ${kind} of ${apiVersion} instead of a ${expected.kind} of ${expected.apiVersion}`)
    }
    return { apiVersion, kind }
  })
}

/** DeleteOptions, of whatever group they say they are. Throws like decodeProtobuf. */
export function decodeDeleteOptions(bytes: Uint8Array): object {
  return decode(bytes, deleteOptions, ({ apiVersion = 'v1', kind = 'DeleteOptions' }) => {
    if (kind !== 'DeleteOptions') throw new ProtobufError(`it holds a ${kind} instead of DeleteOptions`)
    return { apiVersion, kind }
  })
}

interface Envelope {
  readonly typeMeta?: Partial<ExpectedKind>
  readonly raw?: Uint8Array
  readonly contentEncoding?: string
}

function decode(bytes: Uint8Array, message: MessageType, head: (sent: Partial<ExpectedKind>) => ExpectedKind): object {
  try {
    if (MAGIC.some((byte, index) => bytes[index] !== byte)) throw new ProtobufError('it does not begin with k8s and a zero byte')
    const { typeMeta = {}, raw, contentEncoding }: Envelope = decodeMessage(bytes.subarray(MAGIC.length), envelope)
    if (contentEncoding !== undefined) throw new ProtobufError('its object is encoded once more, which is not supported')
    const object = { ...head(typeMeta), ...(raw === undefined ? {} : decodeMessage(raw, message)) }
    // What a text of JSON inside consists of has not been counted.
    requireModest(object)
    return object
  } catch (err) {
    if (!(err instanceof ProtobufError)) throw err
    throw apiError('BadRequest', `the body of the request is not Kubernetes protobuf: ${err.message}`, undefined, { cause: err })
  }
}
