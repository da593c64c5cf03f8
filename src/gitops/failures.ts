import type { ApiError } from '../api/status.ts'

/** Not the manifests' fault: to be tried again. */
export function isPassing({ status: { code } }: ApiError): boolean {
  return code === 429 || code >= 500
}

/** Refused because a namespace is going: worth another try when it is gone. */
export function isNamespaceGoing({ status }: ApiError): boolean {
  return status.details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating') ?? false
}
