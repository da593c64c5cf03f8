import type { InstanceTarget, InstanceUsage, LogQuery, NodeGateway, NodeGateways } from '../api/node-gateway.ts'
import type { ApiObject } from '../api/object.ts'
import { definitionOf, type RequestName, type ResourceDefinition } from '../api/scheme.ts'
import { ApiError, apiError, type Status } from '../api/status.ts'
import type { Clock } from '../base/clock.ts'
import { isJsonObject } from '../base/json.ts'
import type { Instance } from '../generated/types.ts'
import type { Registry } from '../registry/registry.ts'
import { actionStream } from './action-stream.ts'
import { logFrames, logText } from './log-frames.ts'
import { logQuery } from './log-query.ts'
import { prime } from './prime.ts'
import { booleanParameter, type Query, textParameter } from './query.ts'
import { decodeObject } from './request-body.ts'
import { resourcePaths } from './resource-routes.ts'
import { type Answer, type ApiRequest, type Handler, JSON_TYPE, jsonAnswer, type Route } from './route.ts'

/** A log that is followed may have nothing to say yet; its headers leave after this long all the same. */
const FIRST_CHUNK_PATIENCE = 1_000

export interface AgentRouteOptions {
  readonly registry: Registry
  readonly gateways: NodeGateways
  readonly clock: Clock
}

/** What became of a request on one Instance. */
export interface RequestResult {
  readonly instance: string
  readonly outcome: 'Success' | 'Failure'
  /** Of a reload. */
  readonly exitCode?: number
  readonly output?: string
  /** Why it failed. */
  readonly status?: Status
}

/**
 * Requests that an agent carries out once, under the object they are about:
 *
 *   GET  …/instances/NAME/log      the text, as it comes with `follow`; parameters as of a Pod's log. With `frames=true` JSON
 *                                  lines that tell the place, to go on from with `cursor=`: see log-frames.ts
 *   GET  /api/v1/…/pods/NAME/log   the same for Kubernetes' tools, of the one container that a Pod has
 *   POST …/{instances,processes}/NAME/signal  {"signal": "HUP"}       → RequestResultList
 *   POST …/{instances,processes}/NAME/reload                          → RequestResultList
 *   POST …/{instances,processes}/NAME/pause   {"paused": true|false}  → RequestResultList
 *   POST …/{instances,processes}/NAME/action  {"action": "configtest"} → JSON lines, see action-stream.ts
 *   GET  …/instances/NAME/usage    → Usage
 *   GET  …/nodes/NAME/usage        → UsageList
 *
 * On a Process, signal, reload and pause reach all its Instances and the answer tells of each; a failure of one is no failure of
 * the request. An action is carried out once, by the Instance with the lowest index.
 */
export function agentRoutes(definition: ResourceDefinition, options: AgentRouteOptions): readonly Route[] {
  const { requests = [] } = definition.subresources
  const { item } = resourcePaths(definition)
  return requests.map((name) => ({ path: `${item}/${name}`, ...handlersOf(definition, name, options) }))
}

function handlersOf(definition: ResourceDefinition, name: RequestName, options: AgentRouteOptions): Omit<Route, 'path'> {
  const { gateways } = options
  switch (name) {
    case 'log':
      return { methods: { GET: (request) => log(definition, request, options) } }
    case 'usage':
      return { methods: { GET: definition.kind === 'Node' ? nodeUsage(options) : instanceUsage(options) } }
    case 'signal': {
      const send = async (request: ApiRequest): Promise<Answer> => {
        const signal = requiredText(request, 'signal')
        return each(await instancesOf(definition, request, options), definition, async (instance) => {
          await gatewayOf(instance, gateways).signal(targetOf(instance), signal)
          return {}
        })
      }
      return { methods: { POST: send } }
    }
    case 'reload': {
      const reload = async (request: ApiRequest): Promise<Answer> =>
        each(await instancesOf(definition, request, options), definition, (instance) =>
          gatewayOf(instance, gateways).reload(targetOf(instance), request.signal),
        )
      return { methods: { POST: reload }, patient: true }
    }
    case 'pause': {
      const pause = async (request: ApiRequest): Promise<Answer> => {
        const { value } = decodeObject(request.body)
        const paused = isJsonObject(value) ? value.paused : undefined
        if (typeof paused !== 'boolean') throw apiError('BadRequest', 'the body has to be {"paused": true} or {"paused": false}')
        return each(await instancesOf(definition, request, options), definition, async (instance) => {
          await gatewayOf(instance, gateways).pause(targetOf(instance), paused)
          return {}
        })
      }
      return { methods: { POST: pause } }
    }
    case 'action': {
      const act = async (request: ApiRequest): Promise<Answer> => {
        const action = requiredText(request, 'action')
        const [instance] = await instancesOf(definition, request, options)
        if (instance === undefined) throw noInstances(request)
        const run = (onOutput: (chunk: Uint8Array) => void, signal: AbortSignal) =>
          gatewayOf(instance, gateways).action(targetOf(instance), action, onOutput, signal)
        return actionStream(instance.metadata.name, run, request.signal)
      }
      return { methods: { POST: act }, patient: true }
    }
  }
}

async function log(
  definition: ResourceDefinition,
  { query, parameters, signal }: ApiRequest,
  { registry, gateways, clock }: AgentRouteOptions,
): Promise<Answer> {
  const asked = logQuery(query, clock)
  // Asked for first by the name that the client knows it by: of that speaks the answer when it isn't there.
  await registry.get(definition, refOf(parameters))
  const instance = asInstance(await registry.get(definitionOf('Instance'), refOf(parameters)))
  const wanted = definition.kind === 'Pod' ? containerQuery(instance, query, asked) : asked
  const pieces = gatewayOf(instance, gateways).logs(targetOf(instance), wanted, signal)
  const isFramed = booleanParameter(query, 'frames') ?? false
  const chunks: AsyncIterable<string | Uint8Array> = isFramed ? logFrames(pieces) : logText(pieces)
  return {
    contentType: isFramed ? JSON_TYPE : 'text/plain; charset=utf-8',
    chunks: await prime(chunks, clock, FIRST_CHUNK_PATIENCE, signal),
  }
}

/**
 * What a client that asks for the container of a Pod means. Refuses a container that there isn't, and a run before the first, in
 * Kubernetes' words. While none runs and one is to come, the run before is the one that ended last, which here is the newest.
 */
function containerQuery({ metadata, spec, status = {} }: Instance, query: Query, wanted: LogQuery): LogQuery {
  const container = textParameter(query, 'container') ?? spec.process
  if (container !== spec.process) throw apiError('BadRequest', `container ${container} is not valid for pod ${metadata.name}`)
  if (wanted.previous !== true) return wanted
  if (status.phase === 'Pending' && status.lastTermination !== undefined) return { ...wanted, previous: false, follow: false }
  if ((status.attempt ?? 0) >= 2) return wanted
  throw apiError(
    'BadRequest',
    `previous terminated container ${JSON.stringify(container)} in pod ${JSON.stringify(metadata.name)} not found`,
  )
}

function instanceUsage({ registry, gateways }: AgentRouteOptions): Handler {
  return async ({ parameters }) => {
    const instance = asInstance(await registry.get(definitionOf('Instance'), refOf(parameters)))
    return jsonAnswer(usage(await gatewayOf(instance, gateways).usage(targetOf(instance))))
  }
}

function nodeUsage({ registry, gateways }: AgentRouteOptions): Handler {
  return async ({ parameters }) => {
    const node = await registry.get(definitionOf('Node'), refOf(parameters))
    const items = await gateways(node.metadata.name).usageOfAll()
    return jsonAnswer({ kind: 'UsageList', apiVersion: 'pmk.dev/v1', items: items.map(usage) })
  }
}

function usage(sample: InstanceUsage): object {
  return { kind: 'Usage', apiVersion: 'pmk.dev/v1', ...sample }
}

/** The Instance itself, or those of a Process, in the order of their indices. */
async function instancesOf(
  definition: ResourceDefinition,
  { parameters }: ApiRequest,
  { registry }: AgentRouteOptions,
): Promise<readonly Instance[]> {
  const object = await registry.get(definition, refOf(parameters))
  if (definition.kind === 'Instance') return [asInstance(object)]
  const { name, namespace } = object.metadata
  const instances = definitionOf('Instance')
  const query = { ...(namespace === undefined ? {} : { namespace }), labelSelector: `pmk.dev/process=${name}` }
  const { items } = await registry.list(instances, query)
  return items.map(asInstance).sort((a, b) => a.spec.index - b.spec.index)
}

/** Does the same on all, side by side. On a single Instance that was asked for by name, its failure is the answer's. */
async function each(
  instances: readonly Instance[],
  { kind }: ResourceDefinition,
  act: (instance: Instance) => Promise<Omit<RequestResult, 'instance' | 'outcome'>>,
): Promise<Answer> {
  const items = await Promise.all(
    instances.map(async (instance): Promise<RequestResult> => {
      try {
        return { instance: instance.metadata.name, outcome: 'Success', ...(await act(instance)) }
      } catch (err) {
        if (!(err instanceof ApiError) || kind === 'Instance') throw err
        return { instance: instance.metadata.name, outcome: 'Failure', status: err.status }
      }
    }),
  )
  return jsonAnswer({ kind: 'RequestResultList', apiVersion: 'pmk.dev/v1', items })
}

function gatewayOf({ metadata, spec }: Instance, gateways: NodeGateways): NodeGateway {
  if (!spec.nodeName) throw apiError('Conflict', `instances.pmk.dev ${JSON.stringify(metadata.name)} is bound to no node yet`)
  return gateways(spec.nodeName)
}

function targetOf({ metadata }: Instance): InstanceTarget {
  return { namespace: metadata.namespace ?? '', name: metadata.name }
}

function refOf({ name = '', namespace }: Readonly<Record<string, string>>): { readonly name: string; readonly namespace?: string } {
  return namespace === undefined ? { name } : { name, namespace }
}

/** The registry validates what it stores, so an object of the kind is of its type. */
function asInstance(object: ApiObject): Instance {
  return object as Instance
}

function requiredText(request: ApiRequest, field: 'signal' | 'action'): string {
  const { value } = decodeObject(request.body)
  const text = isJsonObject(value) ? value[field] : undefined
  if (typeof text !== 'string' || text === '') throw apiError('BadRequest', `the body has to be {"${field}": "…"}`)
  return text
}

function noInstances({ parameters }: ApiRequest): Error {
  return apiError('Conflict', `processes.pmk.dev ${JSON.stringify(parameters.name)} has no Instance that could do it`)
}
