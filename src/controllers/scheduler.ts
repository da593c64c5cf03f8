import type { Node } from '../generated/types.ts'
import { isDeleting } from './instance-state.ts'

/** A Node that takes Instances, and how many it has. */
export interface NodeLoad {
  readonly name: string
  readonly instances: number
}

export function isNodeReady(node: Node): boolean {
  return node.status?.phase === 'Ready'
}

/** Whether new Instances may be put there. */
export function isSchedulable(node: Node): boolean {
  return isNodeReady(node) && node.spec?.unschedulable !== true && !isDeleting(node)
}

/**
 * A Node for each of `count` new Instances: always the one that then has the fewest, the first by name among equals. Empty
 * when there is none. Pure.
 */
export function schedule(count: number, nodes: readonly NodeLoad[]): readonly string[] {
  const loads = nodes.map(({ name, instances }) => ({ name, instances })).sort((a, b) => (a.name < b.name ? -1 : 1))
  const chosen: string[] = []
  for (let at = 0; at < count; at++) {
    const [first, ...rest] = loads
    if (first === undefined) return []
    const least = rest.reduce((best, next) => (next.instances < best.instances ? next : best), first)
    least.instances += 1
    chosen.push(least.name)
  }
  return chosen
}
