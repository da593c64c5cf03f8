/** Something done to objects, or to what lies under them. */
export interface ResourceAttributes {
  readonly type: 'resource'
  readonly verb: string
  /** Empty for the core group. */
  readonly group: string
  readonly resource: string
  /** Empty: the object itself. */
  readonly subresource: string
  /** Empty: all namespaces, or a resource that is in none. */
  readonly namespace: string
  /** Empty: not about one object that is known beforehand. */
  readonly name: string
}

/** A request to a path that isn't a resource. */
export interface PathAttributes {
  readonly type: 'path'
  readonly verb: string
  readonly path: string
}

/** What somebody wants to do, as far as rights to it are concerned. */
export type Attributes = ResourceAttributes | PathAttributes

/** Where there is nothing to say, nothing is meant. */
export function resourceAttributes(given: Partial<ResourceAttributes> & Pick<ResourceAttributes, 'verb' | 'resource'>): ResourceAttributes {
  return { type: 'resource', group: '', subresource: '', namespace: '', name: '', ...given }
}

/** `processes/scale` */
export function resourceWithSub({ resource, subresource }: ResourceAttributes): string {
  return subresource === '' ? resource : `${resource}/${subresource}`
}

/** What the user can't do, in Kubernetes' words: clients and people know them. */
export function refusalText(userName: string, attributes: Attributes, reason: string): string {
  const user = `User ${JSON.stringify(userName)}`
  const because = reason === '' ? '' : `: ${reason}`
  if (attributes.type === 'path') return `forbidden: ${user} cannot ${attributes.verb} path ${JSON.stringify(attributes.path)}${because}`
  const { verb, group, resource, name, namespace } = attributes
  const qualified = group === '' ? resource : `${resource}.${group}`
  const where = namespace === '' ? 'at the cluster scope' : `in the namespace ${JSON.stringify(namespace)}`
  const what = `resource ${JSON.stringify(resourceWithSub(attributes))} in API group ${JSON.stringify(group)}`
  const object = name === '' ? qualified : `${qualified} ${JSON.stringify(name)}`
  return `${object} is forbidden: ${user} cannot ${verb} ${what} ${where}${because}`
}
