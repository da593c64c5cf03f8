import type { ApiObject } from '../api/object.ts'
import type { SourceRef } from './ownership.ts'
import { fieldManagerOf, SOURCE_NAME_LABEL, SOURCE_NAMESPACE_LABEL } from './well-known.ts'

/** Owner of the fields of an object whose source gave it free. `pmk apply` takes fields of managers of pmk without asking. */
const RELEASED = 'pmk-released'

/** The object without what binds it to a source: its labels, and the field manager that nobody is behind any more. Pure. */
export function released(object: ApiObject, source: SourceRef): ApiObject {
  const { labels = {}, managedFields, ...metadata } = object.metadata
  const { [SOURCE_NAME_LABEL]: _name, [SOURCE_NAMESPACE_LABEL]: _namespace, ...others } = labels
  const manager = fieldManagerOf(source)
  const owners = managedFields?.map((entry) => (entry.manager === manager ? { ...entry, manager: RELEASED } : entry))
  return {
    ...object,
    metadata: {
      ...metadata,
      ...(Object.keys(others).length === 0 ? {} : { labels: others }),
      ...(owners === undefined ? {} : { managedFields: owners }),
    },
  }
}
