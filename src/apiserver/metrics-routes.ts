import type { InstanceUsage, NodeGateways } from '../api/node-gateway.ts'
import { definitionOf, type ResourceDefinition } from '../api/scheme.ts'
import { ApiError, apiError, hasReason } from '../api/status.ts'
import type { Clock, Timestamp } from '../base/clock.ts'
import type { Pod, PodMetrics } from '../generated/types.ts'
import type { Registry } from '../registry/registry.ts'
import { listQuery } from './list-options.ts'
import { createRenderer } from './render.ts'
import { resourcePaths } from './resource-routes.ts'
import type { Answer, ApiRequest, Route } from './route.ts'

export interface MetricsRouteOptions {
  readonly registry: Registry
  readonly gateways: NodeGateways
  readonly clock: Clock
}

/**
 * What Pods use, under the paths that Kubernetes' metrics server has: `kubectl top pods` and k9s ask there. Nothing is collected
 * beforehand; agents are asked for what runs. Of what does not run, or is on a Node that can't be reached, nothing is told.
 */
export function metricsRoutes(definition: ResourceDefinition, { registry, gateways, clock }: MetricsRouteOptions): readonly Route[] {
  const paths = resourcePaths(definition)
  const renderer = createRenderer(definition, clock)

  const list = async (request: ApiRequest): Promise<Answer> => {
    const render = renderer.list(request)
    const { namespace } = request.parameters
    const { items, ...head } = await registry.list(PODS, listQuery(request.query, namespace === undefined ? {} : { namespace }))
    // The list of Pods has Pods in it.
    const pods = items as readonly Pod[]
    const usages = await usagesOn(new Set(pods.map(({ spec }) => spec.nodeName)), gateways)
    const now = clock.now()
    const metrics = pods.flatMap((pod) => {
      const usage = usages.get(keyOf(pod.metadata))
      return usage === undefined ? [] : [metricsOf(pod, usage, now)]
    })
    return render({ ...head, items: metrics })
  }

  const get = async (request: ApiRequest): Promise<Answer> => {
    const render = renderer.object(request)
    const { namespace = '', name = '' } = request.parameters
    const pod = (await registry.get(PODS, { namespace, name })) as Pod
    try {
      return render(metricsOf(pod, await gateways(pod.spec.nodeName).usage({ namespace, name }), clock.now()))
    } catch (err) {
      // It does not run.
      if (!hasReason(err, 'Conflict')) throw err
      throw apiError('NotFound', `podmetrics.${definition.group} "${namespace}/${name}" not found`, {
        group: definition.group,
        kind: 'podmetrics',
        name,
      })
    }
  }

  return [
    { path: paths.all, methods: { GET: list } },
    { path: paths.collection, methods: { GET: list } },
    { path: paths.item, methods: { GET: get } },
  ]
}

const PODS = definitionOf('Pod')

async function usagesOn(nodes: ReadonlySet<string>, gateways: NodeGateways): Promise<ReadonlyMap<string, InstanceUsage>> {
  const ofNodes = await Promise.all([...nodes].filter((node) => node !== '').map((node) => usagesOf(node, gateways)))
  return new Map(ofNodes.flat().map((usage) => [keyOf(usage), usage]))
}

async function usagesOf(node: string, gateways: NodeGateways): Promise<readonly InstanceUsage[]> {
  try {
    return await gateways(node).usageOfAll()
  } catch (err) {
    if (err instanceof ApiError && hasReason(err, 'ServiceUnavailable')) return []
    throw err
  }
}

function keyOf({ namespace = '', name }: { readonly namespace?: string | undefined; readonly name: string }): string {
  return `${namespace}/${name}`
}

function metricsOf({ metadata, spec }: Pod, { cpu, cpuWindowSeconds, memory }: InstanceUsage, now: Timestamp): PodMetrics {
  const { name, namespace, uid, resourceVersion, generation, creationTimestamp, labels } = metadata
  const usage = { cpu: `${Math.round(cpu * NANO)}n`, memory: `${Math.ceil(memory / KIBI)}Ki` }
  return {
    apiVersion: 'metrics.k8s.io/v1beta1',
    kind: 'PodMetrics',
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      uid,
      resourceVersion,
      generation,
      creationTimestamp,
      ...(labels === undefined ? {} : { labels }),
    },
    timestamp: now,
    window: `${cpuWindowSeconds.toFixed(3)}s`,
    containers: spec.containers.map((container) => ({ name: container.name, usage })),
  }
}

const NANO = 1e9
const KIBI = 1024
