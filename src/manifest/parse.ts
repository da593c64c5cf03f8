import { checkDnsLabel, checkName } from '../api/names.ts'
import { definitions, findDefinition, type ResourceDefinition } from '../api/scheme.ts'
import { isJsonObject, type JsonObject } from '../base/json.ts'
import { formatBytes } from '../base/quantity.ts'
import { parseYaml, type YamlDocument, YamlError, type YamlTexts } from '../base/yaml.ts'
import { type FieldPath, formatField, resolveField } from './field-path.ts'
import { type Manifest, ManifestError, type ManifestObject, type Problem } from './manifest.ts'

/** What the server takes as one object. */
const LARGEST_OBJECT = 3 * 1024 * 1024

/** Lists in lists, as tools make them; deeper is an accident. */
const MAX_LIST_DEPTH = 5

/**
 * The manifests of one text: YAML or JSON, several documents, lists taken apart, empty documents skipped. Says of each object
 * only what its file alone can tell: its kind is known, it has a name, no key occurs twice. Throws ManifestError with all problems.
 * `texts`: see parseYaml.
 */
export function parseManifests(file: string, text: string, texts?: YamlTexts): readonly Manifest[] {
  const problems: Problem[] = []
  const manifests: Manifest[] = []
  for (const document of parseDocuments(file, text, texts)) {
    for (const { path, position } of document.duplicates) {
      problems.push({ file, line: position.line, field: path, message: 'this key stands here a second time; keep one' })
    }
    if (document.value !== undefined && document.value !== null) readObject({ file, document, problems, manifests }, document.value, [])
  }
  if (problems.length > 0) throw new ManifestError(problems)
  return manifests
}

function parseDocuments(file: string, text: string, texts: YamlTexts | undefined): readonly YamlDocument[] {
  try {
    return parseYaml(text, texts)
  } catch (err) {
    if (!(err instanceof YamlError)) throw err
    const { line, column } = err.position
    throw new ManifestError([{ file, line, message: `invalid YAML at column ${column}: ${err.message}` }])
  }
}

interface Reading {
  readonly file: string
  readonly document: YamlDocument
  readonly problems: Problem[]
  readonly manifests: Manifest[]
}

function readObject(reading: Reading, value: unknown, path: FieldPath): undefined {
  const { file, document, problems, manifests } = reading
  const lineAt = (inner: FieldPath): number => document.positionOf([...path, ...inner]).line
  const report = (inner: FieldPath, message: string): undefined => {
    const field = formatField([...path, ...inner])
    problems.push({ file, line: lineAt(inner), ...(field !== '' && { field }), message })
  }
  if (!isJsonObject(value)) return report([], `expected an object with apiVersion and kind, found ${nameType(value)}`)
  const { apiVersion, kind } = value
  if (typeof apiVersion !== 'string' || apiVersion === '') return report(['apiVersion'], 'Required value: for a Process it is pmk.dev/v1')
  if (typeof kind !== 'string' || kind === '') return report(['kind'], 'Required value: what is described here, such as Process')
  if (kind.endsWith('List') && findDefinition(apiVersion, kind) === undefined) return readList(reading, value, path, report)
  const definition = findDefinition(apiVersion, kind)
  if (definition === undefined) return report(['kind'], unknownKind(apiVersion, kind))
  const found = problems.length
  checkMetadata(value, definition, report)
  const size = Buffer.byteLength(JSON.stringify(value))
  if (size > LARGEST_OBJECT)
    report([], `the object has ${formatBytes(size)}, more than the ${formatBytes(LARGEST_OBJECT)} that the server takes`)
  if (problems.length > found) return
  const object = value as ManifestObject
  manifests.push({
    definition,
    name: object.metadata.name,
    namespace: object.metadata.namespace as string | undefined,
    object,
    origin: { file, line: lineAt([]), lineOf: (field) => lineAt(resolveField(object, field)) },
  })
}

type Report = (path: FieldPath, message: string) => undefined

function readList(reading: Reading, list: JsonObject, path: FieldPath, report: Report): undefined {
  const { items } = list
  if (items === undefined || items === null) return
  if (!Array.isArray(items)) return report(['items'], `expected a list, found ${nameType(items)}`)
  if (path.length > 2 * MAX_LIST_DEPTH) return report([], 'lists within lists, too deep')
  for (const [index, item] of items.entries()) readObject(reading, item, [...path, 'items', index])
}

function checkMetadata(object: JsonObject, definition: ResourceDefinition, report: Report): undefined {
  const { metadata } = object
  if (metadata === undefined || metadata === null) return report(['metadata', 'name'], 'Required value: every object needs a name')
  if (!isJsonObject(metadata)) return report(['metadata'], `expected an object, found ${nameType(metadata)}`)
  const { name, namespace } = metadata
  if (name === undefined || name === null || name === '') report(['metadata', 'name'], 'Required value: every object needs a name')
  else if (typeof name !== 'string') report(['metadata', 'name'], `expected a text, found ${nameType(name)}; put it in quotes`)
  else {
    // Here and not only on the server, because the name becomes part of the request's path.
    const verdict = checkName(definition.nameFormat, name, definition.maxNameLength)
    if (verdict !== undefined) report(['metadata', 'name'], `Invalid value: ${JSON.stringify(name)}: ${verdict}`)
  }
  if (namespace === undefined || namespace === null) return
  if (typeof namespace !== 'string') report(['metadata', 'namespace'], `expected a text, found ${nameType(namespace)}; put it in quotes`)
  else if (checkDnsLabel(namespace) !== undefined)
    report(['metadata', 'namespace'], `Invalid value: ${JSON.stringify(namespace)}: ${checkDnsLabel(namespace)}`)
  else if (definition.scope === 'Cluster') report(['metadata', 'namespace'], `a ${definition.kind} belongs to no namespace; leave it out`)
}

function unknownKind(apiVersion: string, kind: string): string {
  const same = definitions.find((definition) => definition.kind.toLowerCase() === kind.toLowerCase())
  const remedy = same === undefined ? "'pmk api-resources' lists the kinds" : `did you mean kind ${same.kind} of ${same.apiVersion}?`
  return `no kind "${kind}" in version "${apiVersion}"; ${remedy}`
}

function nameType(value: unknown): string {
  if (value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'an object'
  return `${typeof value === 'string' ? 'the text' : `the ${typeof value}`} ${JSON.stringify(value)}`
}
