import type { AccessPolicy } from '../access/access-policy.ts'
import { type Attributes, resourceAttributes } from '../access/attributes.ts'
import { asWord, invalidField, invalidObject } from '../api/field-errors.ts'
import { isQuestion, type ResourceDefinition } from '../api/scheme.ts'
import { apiError } from '../api/status.ts'
import { isJsonObject, type JsonObject } from '../base/json.ts'
import type { PolicyRule } from '../generated/types.ts'
import type { UserInfo } from '../registry/registry.ts'
import { decodeObject } from './request-body.ts'
import { resourcePaths } from './resource-routes.ts'
import { type Answer, type ApiRequest, jsonAnswer, type Route } from './route.ts'

/**
 * Questions about rights, put as objects to create and answered in their status: what may I do, what may somebody else do, who am I.
 * Nothing is stored. The answers are those of the policy that decides about requests.
 */
export function reviewRoutes(definitions: readonly ResourceDefinition[], policy: AccessPolicy): readonly Route[] {
  return definitions.filter(isQuestion).flatMap((definition) => {
    const path = resourcePaths(definition).collection
    const at = (apiVersion: string): Route['methods'] => ({
      POST: (request: ApiRequest) => answer(definition, apiVersion, request, policy),
    })
    const routes: Route[] = [{ path, methods: at(definition.apiVersion) }]
    if (definition.kind === 'SelfSubjectReview') {
      // kubectl 1.27 knows no other version of it.
      const older = `${definition.group}/v1beta1`
      routes.push({ path: `/apis/${older}/${definition.plural}`, methods: at(older) })
    }
    return routes
  })
}

function answer(definition: ResourceDefinition, apiVersion: string, request: ApiRequest, policy: AccessPolicy): Answer {
  const { kind } = definition
  const { value } = decodeObject(request.body, { kind, apiVersion })
  const body = requireReview(definition, apiVersion, value)
  const spec = isJsonObject(body.spec) ? body.spec : {}
  const status = statusOf(definition, spec, request, policy)
  const metadata = isJsonObject(body.metadata) ? body.metadata : {}
  const asked = body.spec === undefined ? {} : { spec }
  return jsonAnswer({ kind, apiVersion, metadata: { ...metadata, creationTimestamp: null }, ...asked, status }, 201)
}

function statusOf(definition: ResourceDefinition, spec: JsonObject, { user, parameters }: ApiRequest, policy: AccessPolicy): object {
  switch (definition.kind) {
    case 'SelfSubjectReview':
      return { userInfo: { username: user.name, groups: user.groups } }
    case 'SelfSubjectRulesReview': {
      const { namespace } = spec
      if (typeof namespace !== 'string' || namespace === '') {
        throw apiError('BadRequest', 'no namespace on request')
      }
      return rulesStatus(policy.rulesFor(user, namespace))
    }
    case 'SelfSubjectAccessReview':
      return decision(policy, user, attributesIn(definition, spec))
    case 'LocalSubjectAccessReview':
      return decision(policy, subjectIn(definition, spec), localAttributes(definition, spec, parameters.namespace ?? ''))
    default:
      return decision(policy, subjectIn(definition, spec), attributesIn(definition, spec))
  }
}

function decision(policy: AccessPolicy, user: UserInfo, attributes: Attributes): object {
  const { allowed, reason } = policy.authorize(user, attributes)
  return { allowed, ...(reason === '' ? {} : { reason }) }
}

function rulesStatus(rules: readonly PolicyRule[]): object {
  const isAboutPaths = ({ nonResourceURLs = [] }: PolicyRule): boolean => nonResourceURLs.length > 0
  return {
    resourceRules: rules.filter((rule) => !isAboutPaths(rule)),
    nonResourceRules: rules.filter(isAboutPaths),
    incomplete: false,
  }
}

/** What kind it is follows from the address; a body may say it too. */
function requireReview({ kind }: ResourceDefinition, apiVersion: string, value: unknown): JsonObject {
  if (!isJsonObject(value)) throw apiError('BadRequest', `the body must be a ${kind}`)
  if ((value.kind ?? kind) !== kind) throw apiError('BadRequest', `the body must be a ${kind}, not ${asWord(value.kind)}`)
  if ((value.apiVersion ?? apiVersion) !== apiVersion) {
    throw apiError(
      'BadRequest',
      `the API version in the data (${asWord(value.apiVersion)}) does not match the expected API version (${apiVersion})`,
    )
  }
  return value
}

function attributesIn(
  definition: ResourceDefinition,
  { resourceAttributes: ofResource, nonResourceAttributes: ofPath }: JsonObject,
): Attributes {
  if (isJsonObject(ofResource) === isJsonObject(ofPath)) {
    const why = 'exactly one of nonResourceAttributes or resourceAttributes must be specified'
    throw invalidObject(definition, '', [invalidField('spec.resourceAttributes', ofResource, why)])
  }
  if (isJsonObject(ofPath)) return { type: 'path', verb: text(ofPath, 'verb'), path: text(ofPath, 'path') }
  const of = ofResource as JsonObject
  return resourceAttributes({
    verb: text(of, 'verb'),
    group: text(of, 'group'),
    resource: text(of, 'resource'),
    subresource: text(of, 'subresource'),
    namespace: text(of, 'namespace'),
    name: text(of, 'name'),
  })
}

function localAttributes(definition: ResourceDefinition, spec: JsonObject, namespace: string): Attributes {
  const attributes = attributesIn(definition, spec)
  const asked = attributes.type === 'resource' ? attributes.namespace : undefined
  if (asked === namespace) return attributes
  const why = 'must match metadata.namespace'
  throw invalidObject(definition, '', [invalidField('spec.resourceAttributes.namespace', asked, why)])
}

function subjectIn(definition: ResourceDefinition, spec: JsonObject): UserInfo {
  const { groups } = spec
  const name = text(spec, 'user')
  const isList = Array.isArray(groups) && groups.every((group): group is string => typeof group === 'string')
  if (!isList && (groups ?? undefined) !== undefined) throw apiError('BadRequest', 'spec.groups must be an array of strings')
  const list = isList ? groups : []
  if (name === '' && list.length === 0) {
    throw invalidObject(definition, '', [invalidField('spec.user', name, 'at least one of user or group must be specified')])
  }
  return { name, groups: list }
}

function text(object: JsonObject, field: string): string {
  const value = object[field] ?? ''
  if (typeof value !== 'string') throw apiError('BadRequest', `${field} must be a string, not ${asWord(value)}`)
  return value
}
