/** Values by the numbers of their fields: a text or bytes, a number, a message; several for a field that comes more than once. */
export interface ProtobufMessage {
  readonly [field: number]: ProtobufValue | readonly ProtobufValue[]
}
type ProtobufValue = string | Uint8Array | number | bigint | boolean | ProtobufMessage

/** A message in protobuf's wire format, written straight from its specification. */
export function protobuf(message: ProtobufMessage): Uint8Array {
  const parts = Object.entries(message).flatMap(([number, values]) =>
    (Array.isArray(values) ? values : [values]).map((value: ProtobufValue) => oneField(Number(number), value)),
  )
  return Buffer.concat(parts)
}

/** The body that a Kubernetes client sends for an object. */
export function kubernetesBody(apiVersion: string, kind: string, message: ProtobufMessage | Uint8Array): Uint8Array {
  const raw = message instanceof Uint8Array ? message : protobuf(message)
  return Buffer.concat([Buffer.from('k8s\0'), protobuf({ 1: { 1: apiVersion, 2: kind }, 2: raw, 3: '', 4: '' })])
}

/** Seven bits a byte, the lowest first; a negative number as 64 bits. */
export function varint(value: number | bigint): Uint8Array {
  const bytes: number[] = []
  let left = BigInt.asUintN(64, BigInt(value))
  while (left >= 0x80n) {
    bytes.push(Number(left & 0x7fn) | 0x80)
    left >>= 7n
  }
  return Buffer.from([...bytes, Number(left)])
}

function oneField(number: number, value: ProtobufValue): Uint8Array {
  if (typeof value === 'boolean') return Buffer.concat([varint(number * 8), varint(value ? 1 : 0)])
  if (typeof value === 'number' || typeof value === 'bigint') return Buffer.concat([varint(number * 8), varint(value)])
  const bytes = typeof value === 'string' ? Buffer.from(value) : value instanceof Uint8Array ? value : protobuf(value)
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes])
}
