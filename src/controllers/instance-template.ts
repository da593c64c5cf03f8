import { launchFieldsOf, liveFieldsOf } from '../api/launch-fields.ts'
import { definitionOf, type JsonSchema } from '../api/scheme.ts'
import { structure } from '../api/structure.ts'
import { isJsonObject, type JsonObject } from '../base/json.ts'
import type { ProcessSpec, ProcessTemplate } from '../generated/types.ts'

/**
 * What an Instance runs: the launch fields of its Revision, and of the Process as it is now all that takes effect on a
 * running program. Complete with defaults, so that it can be compared with what is stored.
 */
export function instanceTemplate(spec: ProcessSpec, launch: JsonObject): ProcessTemplate {
  let templates = known.get(spec)
  if (templates === undefined) {
    templates = new WeakMap()
    known.set(spec, templates)
  }
  let template = templates.get(launch)
  if (template === undefined) {
    template = compose(spec, launch)
    templates.set(launch, template)
  }
  return template
}

/** Specs and launches come from caches and never change: a Process with a thousand Instances composes its template once. */
const known = new WeakMap<ProcessSpec, WeakMap<JsonObject, ProcessTemplate>>()

function compose(spec: ProcessSpec, launch: JsonObject): ProcessTemplate {
  const fields = Object.fromEntries(Object.entries(spec).filter(([name]) => templateFields.has(name)))
  const merged = merge(liveFieldsOf(fields), launch)
  // The schema of the template is what makes a merged object a ProcessTemplate.
  return structure(templateSchema, merged, { defaults: true, nulls: 'drop' }) as ProcessTemplate
}

/** The launch fields that an Instance has: what it keeps when its Revision is gone. */
export function launchOf(template: ProcessTemplate): JsonObject {
  return launchFieldsOf(template, { withoutDefaults: true })
}

const templateSchema: JsonSchema = definitionOf('Instance').schema.properties?.spec?.properties?.template ?? {}
const templateFields = new Set(Object.keys(templateSchema.properties ?? {}))

/** Both parts are disjoint but for objects of which each has some fields. */
function merge(base: JsonObject, over: JsonObject): JsonObject {
  const result: Record<string, unknown> = { ...base }
  for (const [name, value] of Object.entries(over)) {
    const below = result[name]
    result[name] = isJsonObject(below) && isJsonObject(value) ? merge(below, value) : value
  }
  return result
}
