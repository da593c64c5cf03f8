import type { ResourceDefinition } from '../api/scheme.ts'
import { jsonEqual } from '../base/json.ts'
import type { ProcessSpec, ProcessTemplate, SecurityContext } from '../generated/types.ts'
import { forbidden } from '../registry/errors.ts'
import type { UserInfo } from '../registry/registry.ts'
import { resourceAttributes } from './attributes.ts'
import type { Authorizer } from './authorizer.ts'

/** What is to be run, as a Process and an Instance have it; a Revision leaves out what has its default. */
export type Template = Omit<Partial<ProcessTemplate>, 'securityContext'> & { readonly securityContext?: Partial<SecurityContext> }

/** A user or group of the host that a program gets the rights of, and what in the template asks for it. */
export interface Identity {
  readonly resource: 'users' | 'groups'
  readonly name: string
  readonly because: string
}

/** Fields of a Process that say how many, when and where: whoever changes nothing else has nothing else run. */
const OPERATION = [
  'description',
  'desiredState',
  'suspend',
  'suspendUntil',
  'replicas',
  'indexStart',
  'nodeName',
  'restartedAt',
  'updateStrategy',
  'revisionHistoryLimit',
] as const satisfies readonly (keyof ProcessSpec)[]

/** The part of a Process that says what runs. */
export function templateOf(spec: ProcessSpec): Template {
  const operation = new Set<string>(OPERATION)
  return Object.fromEntries(Object.entries(spec).filter(([field]) => !operation.has(field))) as Template
}

/**
 * Whose rights a program of this template gets. `serverUser` is who runs the server, and whoever no other user is named.
 * A name and a number are told apart, since only the host knows what belongs together; numbers are in their shortest form.
 */
export function identitiesOf(template: Template, serverUser: string): readonly Identity[] {
  const { securityContext, inheritEnv } = template
  // The template of a Revision follows no schema, so that what has no value may also be null.
  const { runAsUser, runAsGroup, supplementalGroups, capabilities, readOnlyPaths, writablePaths, hiddenPaths, noNewPrivileges } =
    securityContext ?? {}
  const identities: Identity[] = [
    (runAsUser ?? undefined) === undefined
      ? { resource: 'users', name: serverUser, because: 'securityContext.runAsUser is absent, which means the user of the server' }
      : { resource: 'users', name: idText(runAsUser ?? ''), because: `securityContext.runAsUser is ${JSON.stringify(runAsUser)}` },
  ]
  if (runAsGroup !== undefined && runAsGroup !== null) {
    identities.push({
      resource: 'groups',
      name: idText(runAsGroup),
      because: `securityContext.runAsGroup is ${JSON.stringify(runAsGroup)}`,
    })
  }
  for (const group of supplementalGroups ?? []) {
    const because = `securityContext.supplementalGroups has ${JSON.stringify(group)}`
    identities.push({ resource: 'groups', name: idText(group), because })
  }
  if ((capabilities?.add ?? []).length > 0) {
    identities.push({ resource: 'users', name: 'root', because: 'securityContext.capabilities.add gives rights of root' })
  }
  const views = [readOnlyPaths, writablePaths, hiddenPaths].some((paths) => (paths ?? []).length > 0)
  if (views && noNewPrivileges !== true) {
    const because = 'set-user-id programs would see other files than they expect: set securityContext.noNewPrivileges to true'
    identities.push({ resource: 'users', name: 'root', because })
  }
  for (const because of precedencesOf(template)) identities.push({ resource: 'users', name: 'root', because })
  if ((inheritEnv ?? []).length > 0) {
    identities.push({ resource: 'users', name: serverUser, because: 'inheritEnv takes variables over from the server' })
  }
  return identities
}

/** What puts a program before those of others, which only root may do. */
function precedencesOf({ nice, oomScoreAdj, ioPriority }: Template): readonly string[] {
  return [
    ...((nice ?? 0) < 0 ? ['nice below 0 takes processor time from others'] : []),
    ...((oomScoreAdj ?? 0) < 0 ? ['oomScoreAdj below 0 has others killed instead'] : []),
    ...(ioPriority?.class === 'RealTime' ? ['ioPriority.class RealTime keeps others from the disk'] : []),
  ]
}

function idText(id: string | number): string {
  return /^\d{1,10}$/.test(String(id)) ? String(Number(id)) : String(id)
}

/**
 * Whoever says what runs needs the verb `runas` on `users/NAME` of pmk.dev for the user it runs as (and on groups that it names), in
 * the namespace of the object. Who leaves the template as it is may do what the other verbs allow.
 */
export function checkRunAs(
  authorizer: Authorizer,
  user: UserInfo,
  definition: ResourceDefinition,
  { name, namespace = '' }: { readonly name: string; readonly namespace?: string },
  next: Template,
  prev: Template | undefined,
  serverUser: string,
): void {
  if (prev !== undefined && jsonEqual(next, prev)) return
  for (const identity of identitiesOf(next, serverUser)) {
    const attributes = resourceAttributes({ verb: 'runas', group: 'pmk.dev', resource: identity.resource, namespace, name: identity.name })
    const { allowed, reason } = authorizer.authorize(user, attributes)
    if (allowed) continue
    const what = `User ${JSON.stringify(user.name)} cannot runas resource ${JSON.stringify(identity.resource)} ${JSON.stringify(identity.name)}`
    const where = `in API group "pmk.dev" in the namespace ${JSON.stringify(namespace)}`
    throw forbidden(definition, name, `${what} ${where} (${identity.because})${reason === '' ? '' : `: ${reason}`}`)
  }
}
