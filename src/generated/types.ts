// Written by hack/update-codegen.ts from api/*.schema.json. Do not edit.

/**
 * A number or `unlimited` for both limits, or an object with soft and hard.
 */
export type RlimitValue = number | 'unlimited' | RlimitPair

/**
 * Each kind by its name.
 */
export interface KindMap {
  readonly ClusterRoleBinding: ClusterRoleBinding
  readonly ClusterRole: ClusterRole
  readonly ConfigMap: ConfigMap
  readonly CustomResourceDefinition: CustomResourceDefinition
  readonly Event: Event
  readonly EventsV1Event: EventsV1Event
  readonly Instance: Instance
  readonly Lease: Lease
  readonly LocalSubjectAccessReview: LocalSubjectAccessReview
  readonly ManifestSource: ManifestSource
  readonly Namespace: Namespace
  readonly Node: Node
  readonly PodMetrics: PodMetrics
  readonly Pod: Pod
  readonly Process: Process
  readonly Revision: Revision
  readonly RoleBinding: RoleBinding
  readonly Role: Role
  readonly Secret: Secret
  readonly SelfSubjectAccessReview: SelfSubjectAccessReview
  readonly SelfSubjectReview: SelfSubjectReview
  readonly SelfSubjectRulesReview: SelfSubjectRulesReview
  readonly Service: Service
  readonly SubjectAccessReview: SubjectAccessReview
  readonly Token: Token
}
/**
 * Grants the rules of a ClusterRole in all namespaces and for what lies in none.
 */
export interface ClusterRoleBinding {
  /**
   * rbac.authorization.k8s.io/v1
   */
  readonly apiVersion: 'rbac.authorization.k8s.io/v1'
  /**
   * ClusterRoleBinding
   */
  readonly kind: 'ClusterRoleBinding'
  readonly metadata: ObjectMeta
  /**
   * Whom it is granted to.
   */
  readonly subjects?: readonly Subject[]
  readonly roleRef: RoleRef
}
/**
 * Names an object and says who it belongs to. Most of it is written by the server.
 */
export interface ObjectMeta {
  /**
   * Unique among the objects of one kind in one namespace. Lower-case letters, digits, '-' and '.'.
   */
  readonly name: string
  /**
   * With no name given: a prefix to which the server adds five random characters.
   */
  readonly generateName?: string
  /**
   * The namespace of the object; absent for kinds that belong to the whole cluster.
   */
  readonly namespace?: string
  /**
   * Unique over all time. Set by the server.
   */
  readonly uid: string
  /**
   * Changes with every write. Send it back with a change to be refused when somebody else was faster.
   */
  readonly resourceVersion: string
  /**
   * Grows only when the spec changes; compare with status.observedGeneration.
   */
  readonly generation: number
  /**
   * When the object was created. Set by the server.
   */
  readonly creationTimestamp: string
  /**
   * Set when deletion was asked for; the object goes when its finalizers are gone.
   */
  readonly deletionTimestamp?: string
  /**
   * Seconds that a polite stop may take before the object is removed. 0 means to kill.
   */
  readonly deletionGracePeriodSeconds?: number
  /**
   * Names of duties that must be done before a deleted object goes.
   */
  readonly finalizers?: readonly string[]
  /**
   * Keys and values to select objects by.
   */
  readonly labels?: {
    readonly [k: string]: string
  }
  /**
   * Keys and values that nothing selects by; notes of tools and people.
   */
  readonly annotations?: {
    readonly [k: string]: string
  }
  /**
   * Objects that this one belongs to. It is deleted when all of them are gone.
   */
  readonly ownerReferences?: readonly OwnerReference[]
  /**
   * Which field was written by whom. Kept by the server for server-side apply.
   */
  readonly managedFields?: readonly ManagedFieldsEntry[]
  /**
   * No longer used; accepted and dropped.
   */
  readonly selfLink?: string
}
/**
 * An object that this one belongs to.
 */
export interface OwnerReference {
  /**
   * API version of the owner.
   */
  readonly apiVersion: string
  /**
   * Kind of the owner.
   */
  readonly kind: string
  /**
   * Name of the owner.
   */
  readonly name: string
  /**
   * UID of the owner: a new object of the same name is another owner.
   */
  readonly uid: string
  /**
   * True for the one owner that reconciles this object.
   */
  readonly controller?: boolean
  /**
   * True: a foreground deletion of the owner waits for this object.
   */
  readonly blockOwnerDeletion?: boolean
}
/**
 * The fields that one manager has written.
 */
export interface ManagedFieldsEntry {
  /**
   * Who wrote.
   */
  readonly manager?: string
  /**
   * Apply or Update.
   */
  readonly operation?: string
  /**
   * API version in which the fields are named.
   */
  readonly apiVersion?: string
  /**
   * When the set of fields last changed.
   */
  readonly time?: string
  /**
   * Always FieldsV1.
   */
  readonly fieldsType?: string
  /**
   * The fields, as nested keys.
   */
  readonly fieldsV1?: {}
  /**
   * The subresource written through, such as status.
   */
  readonly subresource?: string
}
/**
 * Whom a binding grants rules to.
 */
export interface Subject {
  /**
   * rbac.authorization.k8s.io for a User or Group, empty for a ServiceAccount; that is also what is put in when it is absent.
   */
  readonly apiGroup?: string
  /**
   * User, Group or ServiceAccount.
   */
  readonly kind: string
  /**
   * Name of the user, group or account.
   */
  readonly name: string
  /**
   * Namespace of a ServiceAccount, which is the user system:serviceaccount:NAMESPACE:NAME.
   */
  readonly namespace?: string
}
/**
 * The role whose rules a binding grants. Can't be changed.
 */
export interface RoleRef {
  /**
   * rbac.authorization.k8s.io
   */
  readonly apiGroup: string
  /**
   * Role, of the same namespace, or ClusterRole.
   */
  readonly kind: string
  /**
   * Name of the role.
   */
  readonly name: string
}
/**
 * What may be done in all namespaces, or in those where a RoleBinding grants it.
 */
export interface ClusterRole {
  /**
   * rbac.authorization.k8s.io/v1
   */
  readonly apiVersion: 'rbac.authorization.k8s.io/v1'
  /**
   * ClusterRole
   */
  readonly kind: 'ClusterRole'
  readonly metadata: ObjectMeta
  /**
   * What is allowed: the sum of all rules.
   */
  readonly rules?: readonly PolicyRule[]
}
/**
 * Verbs on resources, or on paths. `*` stands for all.
 */
export interface PolicyRule {
  /**
   * What may be done: get, list, watch, create, update, patch, delete, deletecollection, or one of the special verbs runas, impersonate, bind and escalate.
   */
  readonly verbs: readonly string[]
  /**
   * API groups of the resources; the empty text is the core group.
   */
  readonly apiGroups?: readonly string[]
  /**
   * Plural names of kinds, with a subresource after a slash: processes, processes/scale, processes/*, * /scale.
   */
  readonly resources?: readonly string[]
  /**
   * Only objects of these names. Absent or empty: all.
   */
  readonly resourceNames?: readonly string[]
  /**
   * Paths that are no resources, such as /metrics; a * at the end stands for the rest. Only in a ClusterRole.
   */
  readonly nonResourceURLs?: readonly string[]
}
/**
 * Settings that Processes refer to.
 */
export interface ConfigMap {
  /**
   * v1
   */
  readonly apiVersion: 'v1'
  /**
   * ConfigMap
   */
  readonly kind: 'ConfigMap'
  readonly metadata: ObjectMeta
  /**
   * Texts by key.
   */
  readonly data?: {
    readonly [k: string]: string
  }
  /**
   * Bytes by key, in base64.
   */
  readonly binaryData?: {
    readonly [k: string]: string
  }
  /**
   * True: the data can never be changed.
   */
  readonly immutable?: boolean
}
/**
 * A kind of pmk as Kubernetes' tools know kinds that are not Kubernetes' own. Read-only: the server makes them from its schemas.
 */
export interface CustomResourceDefinition {
  /**
   * apiextensions.k8s.io/v1
   */
  readonly apiVersion: 'apiextensions.k8s.io/v1'
  /**
   * CustomResourceDefinition
   */
  readonly kind: 'CustomResourceDefinition'
  readonly metadata: ObjectMeta
  readonly spec: CustomResourceDefinitionSpec
  readonly status: CustomResourceDefinitionStatus
}
/**
 * The kind.
 */
export interface CustomResourceDefinitionSpec {
  /**
   * API group.
   */
  readonly group: string
  readonly names: CustomResourceDefinitionNames
  /**
   * Whether its objects are in namespaces.
   */
  readonly scope: 'Namespaced' | 'Cluster'
  /**
   * Its versions.
   */
  readonly versions: readonly CustomResourceDefinitionVersion[]
  readonly conversion: CustomResourceConversion
}
/**
 * What the kind goes by.
 */
export interface CustomResourceDefinitionNames {
  /**
   * In paths.
   */
  readonly plural: string
  /**
   * For people.
   */
  readonly singular?: string
  /**
   * Short names.
   */
  readonly shortNames?: readonly string[]
  /**
   * In objects.
   */
  readonly kind: string
  /**
   * In lists.
   */
  readonly listKind?: string
  /**
   * Groups of kinds that it belongs to.
   */
  readonly categories?: readonly string[]
}
/**
 * A version of the kind.
 */
export interface CustomResourceDefinitionVersion {
  /**
   * v1.
   */
  readonly name: string
  /**
   * Whether it can be asked for.
   */
  readonly served: boolean
  /**
   * Whether objects are stored in it.
   */
  readonly storage: boolean
  readonly schema: CustomResourceValidation
  /**
   * status and scale.
   */
  readonly subresources: {}
  /**
   * Columns that show one field as it is.
   */
  readonly additionalPrinterColumns?: readonly CustomResourceColumnDefinition[]
  /**
   * Fields to select objects by.
   */
  readonly selectableFields?: readonly SelectableField[]
}
/**
 * What objects may look like.
 */
export interface CustomResourceValidation {
  /**
   * The schema, structural as Kubernetes calls it: some rules of the server are stricter.
   */
  readonly openAPIV3Schema?: {}
}
/**
 * A column.
 */
export interface CustomResourceColumnDefinition {
  /**
   * Header.
   */
  readonly name: string
  /**
   * Type of its values.
   */
  readonly type: string
  /**
   * What it shows.
   */
  readonly description?: string
  /**
   * 1: only with -o wide.
   */
  readonly priority?: number
  /**
   * Where its value is.
   */
  readonly jsonPath: string
}
/**
 * A field.
 */
export interface SelectableField {
  /**
   * Where it is.
   */
  readonly jsonPath: string
}
/**
 * How versions become each other.
 */
export interface CustomResourceConversion {
  /**
   * None: there is one version.
   */
  readonly strategy: string
}
/**
 * What is.
 */
export interface CustomResourceDefinitionStatus {
  /**
   * NamesAccepted, Established.
   */
  readonly conditions: readonly Condition[]
  readonly acceptedNames: CustomResourceDefinitionNames
  /**
   * Versions that objects are stored in.
   */
  readonly storedVersions: readonly string[]
}
/**
 * One aspect of the state of an object.
 */
export interface Condition {
  /**
   * The aspect, such as Ready.
   */
  readonly type: string
  /**
   * Whether it holds.
   */
  readonly status: 'True' | 'False' | 'Unknown'
  /**
   * The generation of the object that this was said of.
   */
  readonly observedGeneration?: number
  /**
   * A CamelCase word for programs.
   */
  readonly reason?: string
  /**
   * A sentence for people.
   */
  readonly message?: string
  /**
   * When status last changed.
   */
  readonly lastTransitionTime?: string
}
/**
 * Something that happened to an object. Kept for an hour.
 */
export interface Event {
  /**
   * v1
   */
  readonly apiVersion: 'v1'
  /**
   * Event
   */
  readonly kind: 'Event'
  readonly metadata: ObjectMeta
  readonly involvedObject: ObjectReference
  /**
   * A CamelCase word for programs.
   */
  readonly reason?: string
  /**
   * A sentence for people; what is longer is cut.
   */
  readonly message?: string
  /**
   * Normal or Warning.
   */
  readonly type?: string
  /**
   * How often it happened.
   */
  readonly count?: number
  /**
   * When it happened first.
   */
  readonly firstTimestamp?: string
  /**
   * When it happened last.
   */
  readonly lastTimestamp?: string
  /**
   * When it was first seen, with microseconds.
   */
  readonly eventTime?: string
  readonly series?: EventSeries
  readonly source?: EventSource
  /**
   * What was done or failed.
   */
  readonly action?: string
  readonly related?: ObjectReference
  /**
   * Who said so.
   */
  readonly reportingComponent?: string
  /**
   * Which one of them.
   */
  readonly reportingInstance?: string
}
/**
 * Names another object.
 */
export interface ObjectReference {
  /**
   * Kind of the object.
   */
  readonly kind?: string
  /**
   * Its namespace.
   */
  readonly namespace?: string
  /**
   * Its name.
   */
  readonly name?: string
  /**
   * Its UID.
   */
  readonly uid?: string
  /**
   * Its API version.
   */
  readonly apiVersion?: string
  /**
   * Its version at that moment.
   */
  readonly resourceVersion?: string
  /**
   * The field it is about.
   */
  readonly fieldPath?: string
}
/**
 * Repetitions.
 */
export interface EventSeries {
  /**
   * How often.
   */
  readonly count?: number
  /**
   * When last.
   */
  readonly lastObservedTime?: string
}
/**
 * Who said so.
 */
export interface EventSource {
  /**
   * Name of the part.
   */
  readonly component?: string
  /**
   * Name of the host.
   */
  readonly host?: string
}
/**
 * Something that happened to an object. Kept for an hour. The same objects as the events of v1, with the names of fields that newer clients use.
 */
export interface EventsV1Event {
  /**
   * events.k8s.io/v1
   */
  readonly apiVersion: 'events.k8s.io/v1'
  /**
   * Event
   */
  readonly kind: 'Event'
  readonly metadata: ObjectMeta
  readonly regarding?: ObjectReference
  /**
   * A CamelCase word for programs.
   */
  readonly reason?: string
  /**
   * A sentence for people.
   */
  readonly note?: string
  /**
   * Normal or Warning.
   */
  readonly type?: string
  /**
   * How often it happened.
   */
  readonly deprecatedCount?: number
  /**
   * When it happened first.
   */
  readonly deprecatedFirstTimestamp?: string
  /**
   * When it happened last.
   */
  readonly deprecatedLastTimestamp?: string
  /**
   * When it was first seen, with microseconds.
   */
  readonly eventTime?: string
  readonly series?: EventSeries
  readonly deprecatedSource?: EventSource
  /**
   * What was done or failed.
   */
  readonly action?: string
  readonly related?: ObjectReference
  /**
   * Who said so.
   */
  readonly reportingController?: string
  /**
   * Which one of them.
   */
  readonly reportingInstance?: string
}
/**
 * One replica of a Process, bound to a Node. Restarts happen inside it: its name, its logs and its number stay.
 */
export interface Instance {
  /**
   * pmk.dev/v1
   */
  readonly apiVersion: 'pmk.dev/v1'
  /**
   * Instance
   */
  readonly kind: 'Instance'
  readonly metadata: ObjectMeta
  readonly spec: InstanceSpec
  readonly status?: InstanceStatus
}
/**
 * What should run. Written by the controller of its Process; restartedAt by people.
 */
export interface InstanceSpec {
  /**
   * Name of its Process.
   */
  readonly process: string
  /**
   * Its number among the Instances of the Process.
   */
  readonly index: number
  /**
   * The Node whose agent runs it.
   */
  readonly nodeName: string
  /**
   * Name of the Revision that the launch fields of template come from.
   */
  readonly revision: string
  /**
   * Whether it should run.
   */
  readonly desiredState: 'Running' | 'Stopped'
  /**
   * True: watch and report, correct nothing.
   */
  readonly suspend: boolean
  /**
   * Time at which a suspension ends by itself.
   */
  readonly suspendUntil?: string
  /**
   * A new time here restarts this Instance. Never overwritten by the controller.
   */
  readonly restartedAt?: string
  /**
   * restartedAt of the Process, as far as the roll has come.
   */
  readonly rolloutRestartedAt?: string
  /**
   * Who asked for the change that was rolled out last, as far as it is known.
   */
  readonly rolloutActor?: string
  readonly template: ProcessTemplate
}
/**
 * What to run and how to keep it alive: the part of a Process that each of its Instances carries.
 */
export interface ProcessTemplate {
  /**
   * The program and its first arguments; never through a shell. A bare name is looked up in searchPath. $(NAME) is replaced by the value of a variable, $$ stands for one $. Either this or script is required.
   *
   * @minItems 1
   */
  readonly command?: readonly [string, ...string[]]
  /**
   * Further arguments, appended to command. $(NAME) is replaced as in command.
   */
  readonly args?: readonly string[]
  /**
   * A script to run instead of command: interpreter with the script as one more argument, then args.
   */
  readonly script?: string
  /**
   * What runs script.
   *
   * @minItems 1
   */
  readonly interpreter: readonly [string, ...string[]]
  /**
   * Directories in which a bare command name is looked up; also the PATH of the program. The server's own PATH is never used.
   */
  readonly searchPath: readonly string[]
  /**
   * Absolute path of the directory the program starts in.
   */
  readonly workingDir: string
  readonly stdin?: Stdin
  readonly forking?: Forking
  /**
   * Names of variables to take over from the server. All others of the server are not passed on.
   */
  readonly inheritEnv?: readonly string[]
  /**
   * Variables of the environment, which is otherwise clean: PATH, HOME, USER, LOGNAME, SHELL, LANG and PMK_NAME, PMK_INSTANCE, PMK_INDEX, PMK_NAMESPACE, PMK_RUN.
   */
  readonly env?: readonly EnvVar[]
  /**
   * Files, ConfigMaps and Secrets that give many variables at once. env wins over envFrom, the later over the earlier.
   */
  readonly envFrom?: readonly EnvFromSource[]
  readonly securityContext?: SecurityContext
  /**
   * Resource limits of setrlimit by name (nofile, nproc, core, as, stack …): a number, `unlimited`, or soft and hard. Unset: what the server was started with, nofile soft 1024.
   */
  readonly rlimits?: {
    readonly [k: string]: RlimitValue
  }
  readonly resources?: Resources
  /**
   * Scheduling priority: 19 is the most yielding. Absent: the server's.
   */
  readonly nice?: number
  readonly ioPriority?: IoPriority
  /**
   * How readily the kernel kills it when memory runs out: 1000 first, -1000 never. Absent: 0.
   */
  readonly oomScoreAdj?: number
  /**
   * CPUs it may run on: 0-3,6.
   */
  readonly cpuAffinity?: string
  /**
   * Processes that must be there before this one is started; they are stopped after it.
   */
  readonly dependsOn?: readonly Dependency[]
  /**
   * How long to wait before the first start after it became wanted.
   */
  readonly startDelay: string
  readonly startupProbe?: Probe
  readonly readinessProbe?: Probe
  readonly livenessProbe?: Probe
  /**
   * Seconds that an Instance must be ready without a break before a roll goes on.
   */
  readonly minReadySeconds: number
  readonly lifecycle?: Lifecycle
  /**
   * Whether to start the program again when it ends.
   */
  readonly restartPolicy: 'Always' | 'OnFailure' | 'Never'
  /**
   * Exit codes (0 to 255) and signals (TERM) that count as a good end.
   */
  readonly successExitCodes: readonly (number | string)[]
  readonly backoff: Backoff
  readonly restartLimit: RestartLimit
  /**
   * Signal that asks the program to end. SIG in front is accepted.
   */
  readonly stopSignal: string
  /**
   * Seconds between the stop signal and KILL.
   */
  readonly terminationGracePeriodSeconds: number
  /**
   * Steps of stopping, instead of stopSignal and terminationGracePeriodSeconds. KILL of the tree is always the last.
   */
  readonly stopSteps?: readonly StopStep[]
  /**
   * Which processes the stop signals reach: all that the program started, its process group, or its main process. The last KILL always reaches all.
   */
  readonly killScope: 'Tree' | 'Group' | 'Main'
  readonly reload?: Reload
  /**
   * Commands of your own for `pmk action`, run as the process's user in its environment.
   */
  readonly actions?: readonly Action[]
  readonly logs: Logs
}
/**
 * Standard input of the program. Absent: /dev/null.
 */
export interface Stdin {
  /**
   * Absolute path of a file to read from.
   */
  readonly file?: string
}
/**
 * For daemons that insist on going to the background. Prefer an option that keeps the program in the foreground.
 */
export interface Forking {
  /**
   * Absolute path of the file in which the daemon writes the number of its main process.
   */
  readonly pidFile: string
}
/**
 * One variable of the environment.
 */
export interface EnvVar {
  /**
   * Name of the variable.
   */
  readonly name: string
  /**
   * Its value. $(NAME) is replaced by the value of a variable defined before, $$ stands for one $.
   */
  readonly value?: string
  readonly valueFrom?: EnvVarSource
}
/**
 * Where the value of a variable comes from. Exactly one of the fields.
 */
export interface EnvVarSource {
  readonly secretKeyRef?: KeySelector
  readonly configMapKeyRef?: KeySelector
  readonly fieldRef?: FieldSelector
  readonly fileRef?: FileSelector
  readonly exec?: ExecAction
}
/**
 * A key of a Secret or ConfigMap in the same namespace.
 */
export interface KeySelector {
  /**
   * Name of the Secret or ConfigMap.
   */
  readonly name: string
  /**
   * Key in its data.
   */
  readonly key: string
  /**
   * True: no variable when the object or the key is missing.
   */
  readonly optional: boolean
}
/**
 * A field of the Instance.
 */
export interface FieldSelector {
  /**
   * Accepted and not used.
   */
  readonly apiVersion?: string
  /**
   * metadata.name, metadata.namespace, metadata.uid, metadata.labels['KEY'], metadata.annotations['KEY'], spec.nodeName or spec.index.
   */
  readonly fieldPath: string
}
/**
 * The text of a file, without one newline at its end, read as the process's user at each start.
 */
export interface FileSelector {
  /**
   * Absolute path.
   */
  readonly path: string
  /**
   * True: no variable when the file is missing.
   */
  readonly optional: boolean
}
/**
 * A command, run as the process's user in its environment and working directory, never through a shell. Exit code 0 is success.
 */
export interface ExecAction {
  /**
   * The command and its arguments. A bare name is looked up in searchPath.
   *
   * @minItems 1
   */
  readonly command: readonly [string, ...string[]]
}
/**
 * Many variables at once. Exactly one of file, configMapRef and secretRef.
 */
export interface EnvFromSource {
  /**
   * Put in front of each name.
   */
  readonly prefix?: string
  readonly file?: EnvFileSource
  readonly configMapRef?: OptionalObjectReference
  readonly secretRef?: OptionalObjectReference
}
/**
 * A file of NAME=value lines, such as those of /etc/default, read as the process's user at each start.
 */
export interface EnvFileSource {
  /**
   * Absolute path.
   */
  readonly path: string
  /**
   * True: nothing when the file is missing.
   */
  readonly optional: boolean
}
/**
 * An object in the same namespace.
 */
export interface OptionalObjectReference {
  /**
   * Name of the object.
   */
  readonly name: string
  /**
   * True: nothing when it is missing.
   */
  readonly optional: boolean
}
/**
 * Who the program runs as and what it may do.
 */
export interface SecurityContext {
  /**
   * User, by name or number. Absent: the user of the server.
   */
  readonly runAsUser?: number | string
  /**
   * Group, by name or number. Absent: the user's own.
   */
  readonly runAsGroup?: number | string
  /**
   * Further groups, by name or number. Absent: the user's, from the group database.
   */
  readonly supplementalGroups?: readonly (number | string)[]
  /**
   * File mode creation mask, in octal.
   */
  readonly umask: string
  /**
   * True: the program can't gain rights through set-user-id files.
   */
  readonly noNewPrivileges: boolean
  readonly capabilities?: Capabilities
  /**
   * Files and directories that the program can't write to, with all below them; `/` is the whole file system. Of two paths the deeper one decides. All must exist when it is started; links are followed then.
   *
   * @maxItems 100
   */
  readonly readOnlyPaths?: readonly string[]
  /**
   * What stays writable below a path of readOnlyPaths, as far as it is for the program's user.
   *
   * @maxItems 100
   */
  readonly writablePaths?: readonly string[]
  /**
   * Files and directories in whose places the program sees empty ones that nobody may read.
   *
   * @maxItems 100
   */
  readonly hiddenPaths?: readonly string[]
  /**
   * True: `/tmp` and `/var/tmp` are the Instance's own and empty at first. They are kept when the program restarts, and deleted with the Instance.
   */
  readonly privateTmp: boolean
}
/**
 * Linux capabilities, without CAP_.
 */
export interface Capabilities {
  /**
   * Capabilities that the program gets although its user is not root.
   */
  readonly add?: readonly string[]
  /**
   * Capabilities that it can never have. ALL means all that are not in add.
   */
  readonly drop?: readonly string[]
}
export interface RlimitPair {
  /**
   * The limit in force.
   */
  readonly soft?: number | 'unlimited'
  /**
   * What the program may raise it to.
   */
  readonly hard?: number | 'unlimited'
}
/**
 * What the program may use. A change takes effect on the running program: nothing is restarted.
 */
export interface Resources {
  readonly limits?: ResourceLimits
}
/**
 * Bounds on an Instance: on all its processes together, and on the probes, hooks and actions that run beside them. Enforced by cgroup v2; what a host can't enforce its condition HostSupports names.
 */
export interface ResourceLimits {
  /**
   * Processor time, in cores: 1.5 is one and a half, 500m is half of one. What wants more is slowed down.
   */
  readonly cpu?: string
  /**
   * Memory, in bytes: 512Mi. What wants more is killed and counts as OOMKilled. Lowering it below what is in use takes file caches away first. Swap is not bounded.
   */
  readonly memory?: string
  /**
   * Processes and threads. What wants more can start none.
   */
  readonly pids?: number
}
/**
 * Priority of disk access.
 */
export interface IoPriority {
  /**
   * Scheduling class.
   */
  readonly class: 'RealTime' | 'BestEffort' | 'Idle'
  /**
   * 0 is first, 7 last. Not for Idle.
   */
  readonly level?: number
}
/**
 * Another Process of the same namespace that must be there first.
 */
export interface Dependency {
  /**
   * Name of the Process.
   */
  readonly name: string
  /**
   * Kind of the object.
   */
  readonly kind: 'Process'
  /**
   * What must hold of it: Started (its startup probe passed), Ready, or Succeeded (it ended well).
   */
  readonly condition: 'Started' | 'Ready' | 'Succeeded'
  /**
   * What to do when the other one starts anew later: nothing, or restart too.
   */
  readonly onRestart: 'Ignore' | 'Restart'
  /**
   * Start anyway after so long. Absent: wait without end.
   */
  readonly timeout?: string
}
/**
 * A test that is repeated. Exactly one of exec, httpGet and tcpSocket. A timeout is a failure.
 */
export interface Probe {
  readonly exec?: ExecAction
  readonly httpGet?: HttpGetAction
  readonly tcpSocket?: TcpSocketAction
  /**
   * Seconds between the start of the program and the first attempt.
   */
  readonly initialDelaySeconds: number
  /**
   * Seconds from one attempt to the next.
   */
  readonly periodSeconds: number
  /**
   * Seconds after which an attempt counts as failed.
   */
  readonly timeoutSeconds: number
  /**
   * Successes in a row after a failure that make the probe pass. 1 for startup and liveness.
   */
  readonly successThreshold: number
  /**
   * Failures in a row that make the probe fail.
   */
  readonly failureThreshold: number
}
/**
 * An HTTP GET request. Redirects are not followed.
 */
export interface HttpGetAction {
  /**
   * Path, with a query if need be.
   */
  readonly path: string
  /**
   * TCP port.
   */
  readonly port: number
  /**
   * Name or address to connect to.
   */
  readonly host: string
  /**
   * HTTP or HTTPS. The certificate is not verified.
   */
  readonly scheme: 'HTTP' | 'HTTPS'
  /**
   * Headers to send.
   */
  readonly httpHeaders?: readonly HttpHeader[]
  /**
   * Status codes that are success, as numbers and ranges: 200-299,304.
   */
  readonly expectStatus: string
  /**
   * Text that the first 64 KiB of the body must contain.
   */
  readonly expectBody?: string
}
/**
 * A header of a request.
 */
export interface HttpHeader {
  /**
   * Name of the header.
   */
  readonly name: string
  /**
   * Value of the header.
   */
  readonly value: string
}
/**
 * Opens a TCP connection; success is to be let in.
 */
export interface TcpSocketAction {
  /**
   * TCP port.
   */
  readonly port: number
  /**
   * Name or address to connect to.
   */
  readonly host: string
}
/**
 * Commands at points of the life of a program. They run one after another, in order.
 */
export interface Lifecycle {
  /**
   * Before each start. A failure counts as a failed start.
   */
  readonly preStart?: readonly Hook[]
  /**
   * After each start. A failure is an Event and kills nothing.
   */
  readonly postStart?: readonly Hook[]
  /**
   * Before the first stop signal. They count against the grace period.
   */
  readonly preStop?: readonly Hook[]
  /**
   * After each end of the program, asked for or not, before the next start.
   */
  readonly postStop?: readonly Hook[]
}
/**
 * A command at a point of the life of a program.
 */
export interface Hook {
  readonly exec: ExecAction
  /**
   * How long it may take before it is killed and counts as failed.
   */
  readonly timeout: string
}
/**
 * How long to wait before a restart. The first death after resetAfter of life restarts at once; then initial, times factor each time, up to max.
 */
export interface Backoff {
  /**
   * The first wait.
   */
  readonly initial: string
  /**
   * What each further wait is multiplied by.
   */
  readonly factor: number
  /**
   * The longest wait.
   */
  readonly max: string
  /**
   * Share of the wait that chance adds or takes away.
   */
  readonly jitter: number
  /**
   * A program that lived so long starts with a clean record.
   */
  readonly resetAfter: string
}
/**
 * When to stop trying.
 */
export interface RestartLimit {
  /**
   * Restarts within window that are too many; 0: never give up.
   */
  readonly count: number
  /**
   * The time in which restarts are counted.
   */
  readonly window: string
  /**
   * What to do then.
   */
  readonly action: 'GiveUp'
  /**
   * Try again after so long. Absent: only when somebody asks (pmk restart, pmk start) or the Process changes.
   */
  readonly retryAfter?: string
}
/**
 * One step of stopping. Exactly one of signal and exec.
 */
export interface StopStep {
  /**
   * Signal to send, such as QUIT.
   */
  readonly signal?: string
  readonly exec?: ExecAction
  /**
   * How long to wait for the end before the next step.
   */
  readonly wait: string
}
/**
 * What `pmk reload` does. Exactly one of signal and exec.
 */
export interface Reload {
  /**
   * Signal for the main process, such as HUP.
   */
  readonly signal?: string
  readonly exec?: ExecAction
  /**
   * Files whose change reloads the program by itself.
   */
  readonly onFileChange?: readonly string[]
}
/**
 * A command of your own for `pmk action`. Exactly one of exec and signal.
 */
export interface Action {
  /**
   * Name of the action.
   */
  readonly name: string
  /**
   * What it does, for people.
   */
  readonly description?: string
  readonly exec?: ExecAction
  /**
   * Signal to send to the main process.
   */
  readonly signal?: string
  /**
   * How long the command may take before it is killed.
   */
  readonly timeout: string
}
/**
 * How much output is kept.
 */
export interface Logs {
  /**
   * Size at which the log is rotated.
   */
  readonly maxSize: string
  /**
   * Archives kept beside the live file.
   */
  readonly maxFiles: number
  /**
   * Whether archives are compressed with gzip.
   */
  readonly compress: boolean
  /**
   * False: standard error goes to a file of its own.
   */
  readonly mergeStderr: boolean
}
/**
 * What is. Written by the agent.
 */
export interface InstanceStatus {
  /**
   * The generation that this status is about.
   */
  readonly observedGeneration?: number
  /**
   * Where in its life it is.
   */
  readonly phase?: 'Pending' | 'Starting' | 'Running' | 'Stopping' | 'Stopped' | 'Succeeded' | 'Failed' | 'Unknown'
  /**
   * What the STATUS column shows: the phase, or Blocked, CrashLoopBackOff, GaveUp, Suspended, Paused, NotReady, StartError.
   */
  readonly reason?: string
  /**
   * A sentence for people about the reason.
   */
  readonly message?: string
  /**
   * Number of the main process while there is one.
   */
  readonly pid?: number
  /**
   * When the program was started.
   */
  readonly startedAt?: string
  /**
   * Whether it is ready.
   */
  readonly ready?: boolean
  /**
   * Unasked deaths that were followed by a start.
   */
  readonly restartCount?: number
  /**
   * Number of the present run.
   */
  readonly attempt?: number
  /**
   * When it will be started, while a backoff waits.
   */
  readonly nextStartAt?: string
  /**
   * The revision that the program was started with.
   */
  readonly revision?: string
  /**
   * spec.rolloutRestartedAt when the program was started.
   */
  readonly rolloutRestartedAt?: string
  /**
   * The command with the path that was found for it; no arguments.
   */
  readonly command?: readonly string[]
  readonly lastTermination?: Termination
  /**
   * The last 20 changes with their causes, oldest first. What `pmk why` tells.
   *
   * @maxItems 20
   */
  readonly transitions?: readonly Transition[]
  /**
   * What this host can't honour of the template.
   */
  readonly hostGaps?: readonly string[]
  /**
   * Started, Ready, Paused, Supervised, HostSupports.
   */
  readonly conditions?: readonly Condition[]
}
/**
 * How a run of the program ended.
 */
export interface Termination {
  /**
   * Exit code; 128 + number for a signal. Absent when it can't be known.
   */
  readonly exitCode?: number
  /**
   * The signal that ended it, such as KILL.
   */
  readonly signal?: string
  /**
   * Completed, Error, Signaled, OOMKilled, LivenessProbeFailed, StartupProbeFailed, StartError, Stopped, Restarted, RolledOut, Unknown and the like.
   */
  readonly reason: string
  /**
   * A sentence for people.
   */
  readonly message?: string
  /**
   * When the program was started.
   */
  readonly startedAt?: string
  /**
   * When it ended.
   */
  readonly finishedAt: string
  /**
   * The last 2 KiB of its output at most, when it did not end well.
   */
  readonly tail?: string
}
/**
 * One change in the life of an Instance and its cause.
 */
export interface Transition {
  /**
   * When it happened.
   */
  readonly time: string
  /**
   * The phase entered.
   */
  readonly phase: string
  /**
   * A CamelCase word: Exit, SignalFromOutside, LivenessProbeFailed, Rollout, RestartRequested, StopRequested, DependencyNotReady, Backoff and the like.
   */
  readonly cause: string
  /**
   * A sentence for people: what happened and why.
   */
  readonly message?: string
  /**
   * Who asked for it, where somebody did.
   */
  readonly actor?: string
  /**
   * The main process it is about.
   */
  readonly pid?: number
}
/**
 * Who holds something that only one may hold, and since when: by it programs elect a leader.
 */
export interface Lease {
  /**
   * coordination.k8s.io/v1
   */
  readonly apiVersion: 'coordination.k8s.io/v1'
  /**
   * Lease
   */
  readonly kind: 'Lease'
  readonly metadata: ObjectMeta
  readonly spec: LeaseSpec
}
/**
 * Who holds it, and how long.
 */
export interface LeaseSpec {
  /**
   * Who holds it; empty when it was given up.
   */
  readonly holderIdentity?: string
  /**
   * How long others wait after the last renewal that they saw before they take it.
   */
  readonly leaseDurationSeconds?: number
  /**
   * When its holder got it.
   */
  readonly acquireTime?: string
  /**
   * When its holder renewed it last.
   */
  readonly renewTime?: string
  /**
   * How often it changed hands.
   */
  readonly leaseTransitions?: number
  /**
   * How a coordinator picks the holder; without one nobody does.
   */
  readonly strategy?: string
  /**
   * Who should get it next.
   */
  readonly preferredHolder?: string
}
/**
 * Asks whether somebody may do something in the namespace. Nothing is stored.
 */
export interface LocalSubjectAccessReview {
  /**
   * authorization.k8s.io/v1
   */
  readonly apiVersion: 'authorization.k8s.io/v1'
  /**
   * LocalSubjectAccessReview
   */
  readonly kind: 'LocalSubjectAccessReview'
  readonly metadata: ObjectMeta
  readonly spec: LocalSubjectAccessReviewSpec
  readonly status?: AccessReviewStatus
}
/**
 * Who and what.
 */
export interface LocalSubjectAccessReviewSpec {
  readonly resourceAttributes?: ResourceAttributes
  readonly nonResourceAttributes?: NonResourceAttributes
  /**
   * The user.
   */
  readonly user?: string
  /**
   * Their groups.
   */
  readonly groups?: readonly string[]
  /**
   * Not looked at.
   */
  readonly uid?: string
  /**
   * Not looked at.
   */
  readonly extra?: {
    readonly [k: string]: readonly string[]
  }
}
/**
 * Something done to objects.
 */
export interface ResourceAttributes {
  /**
   * Namespace; empty: all, or none.
   */
  readonly namespace?: string
  /**
   * get, list, watch, create …
   */
  readonly verb?: string
  /**
   * API group; empty: the core group.
   */
  readonly group?: string
  /**
   * Version of the group; not looked at.
   */
  readonly version?: string
  /**
   * Plural name of the kind.
   */
  readonly resource?: string
  /**
   * What lies under the object.
   */
  readonly subresource?: string
  /**
   * Name of the object; empty: all.
   */
  readonly name?: string
  /**
   * Not looked at.
   */
  readonly fieldSelector?: {}
  /**
   * Not looked at.
   */
  readonly labelSelector?: {}
}
/**
 * A request to a path that is no resource.
 */
export interface NonResourceAttributes {
  /**
   * The path.
   */
  readonly path?: string
  /**
   * The method, in lower case.
   */
  readonly verb?: string
}
/**
 * The answer.
 */
export interface AccessReviewStatus {
  /**
   * Whether it is allowed.
   */
  readonly allowed: boolean
  /**
   * Never true: nothing is denied that isn't only not allowed.
   */
  readonly denied?: boolean
  /**
   * Why.
   */
  readonly reason?: string
  /**
   * What went wrong.
   */
  readonly evaluationError?: string
}
/**
 * A directory or Git repository of manifests that the server keeps applied: what they name is created, changed and, if asked, removed, and drift is put back.
 */
export interface ManifestSource {
  /**
   * pmk.dev/v1
   */
  readonly apiVersion: 'pmk.dev/v1'
  /**
   * ManifestSource
   */
  readonly kind: 'ManifestSource'
  readonly metadata: ObjectMeta
  readonly spec: ManifestSourceSpec
  readonly status?: ManifestSourceStatus
}
/**
 * Where the manifests are and how they are kept applied. Exactly one of path and git.
 */
export interface ManifestSourceSpec {
  /**
   * An absolute directory on the host of the server, read with its directories. Symbolic links are followed.
   */
  readonly path?: string
  readonly git?: GitReference
  /**
   * How often to look at it anew even if nothing tells of a change: the longest that a lost file event, a push or drift stays unnoticed. At least 1s.
   */
  readonly interval: string
  /**
   * True: an object that it applied and no longer names is deleted, unless another owner has it or its annotation pmk.dev/prune is disabled. False: it stays as it is and is nobody's any more.
   */
  readonly prune: boolean
  /**
   * True: Ready only when the Processes it applied are Ready. A Process that gave up, or is not Ready within timeout, is named.
   */
  readonly wait: boolean
  /**
   * How long one pass may take: fetching, applying, and with wait until all is healthy.
   */
  readonly timeout: string
  /**
   * True: what is in order is applied although something else is not. Nothing is pruned then. False: one bad file changes nothing.
   */
  readonly partial: boolean
  /**
   * True: nothing is fetched, applied, pruned or put back.
   */
  readonly suspend: boolean
  /**
   * What to do when somebody else changes a field that the manifests name: put it back, or only say so in the condition Drifted until new content, or `pmk sync NAME`, is applied.
   */
  readonly drift: 'Restore' | 'Report'
  /**
   * What becomes of its objects when the source itself is deleted: deleted with it, or left as they are without an owner.
   */
  readonly deletionPolicy: 'Prune' | 'Orphan'
  /**
   * Namespace of objects that name none. Absent: the namespace of the source.
   */
  readonly targetNamespace?: string
  /**
   * Sources that must be Ready, at their newest generation, before this one is applied.
   *
   * @maxItems 100
   */
  readonly dependsOn?: readonly SourceReference[]
  readonly substitute?: Substitution
}
/**
 * Manifests in a Git repository, read with the system's git. Nothing of the repository is ever run.
 */
export interface GitReference {
  /**
   * https://, ssh:// or user@host:path, or file:// on the host of the server. Credentials belong in secretRef: a URL with a password is refused.
   */
  readonly url: string
  readonly ref: GitRef
  /**
   * Directory in the repository. Absent: all of it.
   */
  readonly path: string
  readonly secretRef?: GitSecret
  readonly verify?: GitVerification
}
/**
 * What of the repository: at most one of branch, tag, commit. None: the branch that the remote's HEAD names.
 */
export interface GitRef {
  /**
   * The newest commit of a branch.
   */
  readonly branch?: string
  /**
   * The commit of a tag.
   */
  readonly tag?: string
  /**
   * Exactly this commit, which must be reachable for the server.
   */
  readonly commit?: string
}
/**
 * Secret in the namespace of the source with username and password (or only password, as a token), ca.crt for https; identity (private key) and known_hosts for ssh.
 */
export interface GitSecret {
  /**
   * Name of the Secret.
   */
  readonly name: string
}
/**
 * Apply only commits with a good signature.
 */
export interface GitVerification {
  readonly secretRef: GitKeys
}
/**
 * Secret in the namespace of the source whose keys are the trusted ones: each *.asc an OpenPGP public key, allowed_signers as ssh-keygen has it.
 */
export interface GitKeys {
  /**
   * Name of the Secret.
   */
  readonly name: string
}
/**
 * Another ManifestSource.
 */
export interface SourceReference {
  /**
   * Its name.
   */
  readonly name: string
  /**
   * Its namespace. Absent: that of this source.
   */
  readonly namespace?: string
}
/**
 * Variables for ${NAME} in the texts of manifests, as Flux has them: ${NAME}, ${NAME:=default}, ${NAME:0:8}, ${NAME/old/new}, and $${NAME} for the text itself. One without value and default is an error. Not in quotes, what comes out may be a number, true, false or null; a value never changes the structure. Absent: the text is taken as it is. An object with the annotation pmk.dev/substitute: disabled is left alone.
 */
export interface Substitution {
  /**
   * Values by name. They go before those of from.
   */
  readonly values?: {
    readonly [k: string]: string
  }
  /**
   * ConfigMaps and Secrets in the namespace of the source whose keys are names. Later ones go before earlier ones.
   *
   * @maxItems 100
   */
  readonly from?: readonly SubstitutionSource[]
}
/**
 * One object with values.
 */
export interface SubstitutionSource {
  /**
   * ConfigMap or Secret.
   */
  readonly kind: 'ConfigMap' | 'Secret'
  /**
   * Its name.
   */
  readonly name: string
  /**
   * True: it may be missing.
   */
  readonly optional: boolean
}
/**
 * What is. Written by the server.
 */
export interface ManifestSourceStatus {
  /**
   * The generation that this status is about.
   */
  readonly observedGeneration?: number
  /**
   * The condition Ready, for the table.
   */
  readonly ready?: 'True' | 'False' | 'Unknown'
  /**
   * The reason of Ready.
   */
  readonly reason?: string
  /**
   * The message of Ready: the first error with file and line, or what is being done.
   */
  readonly message?: string
  /**
   * appliedRevision in short, for the table.
   */
  readonly revision?: string
  /**
   * What was last read: a commit, or sha256: and the digest of names and contents of the files.
   */
  readonly attemptedRevision?: string
  /**
   * What was last applied in full.
   */
  readonly appliedRevision?: string
  /**
   * Digest of revision, variables and namespace that were last applied, as far as they could be. What differs from the manifests while it stays the same is drift.
   */
  readonly appliedInputs?: string
  /**
   * Objects in the inventory.
   */
  readonly objects?: number
  /**
   * Files of manifests at attemptedRevision.
   */
  readonly files?: number
  /**
   * When a pass last applied all of it.
   */
  readonly lastAppliedTime?: string
  /**
   * The annotation pmk.dev/sync-requested that was last acted on.
   */
  readonly lastHandledSync?: string
  /**
   * What is wrong at attemptedRevision: file, line, field and reason. Of many the first 50.
   *
   * @maxItems 50
   */
  readonly errors?: readonly string[]
  /**
   * What was passed over and why: submodules, links that lead out of the repository, objects not pruned.
   *
   * @maxItems 50
   */
  readonly notes?: readonly string[]
  /**
   * Objects that it applied and that it may prune: plural.group/namespace/name, sorted; namespace is empty for kinds without one.
   */
  readonly inventory?: readonly string[]
  readonly pendingPrune?: PendingPrune
  /**
   * Ready, Reconciling, Stalled, Drifted.
   */
  readonly conditions?: readonly Condition[]
}
/**
 * A removal of objects that waits for `pmk sync NAME --confirm-prune`.
 */
export interface PendingPrune {
  /**
   * What the annotation pmk.dev/confirm-prune must hold; another removal has another.
   */
  readonly token: string
  /**
   * How many objects would go.
   */
  readonly objects: number
  /**
   * Why it must be confirmed.
   */
  readonly reason?: string
}
/**
 * A scope for names.
 */
export interface Namespace {
  /**
   * v1
   */
  readonly apiVersion: 'v1'
  /**
   * Namespace
   */
  readonly kind: 'Namespace'
  readonly metadata: ObjectMeta
  readonly spec: NamespaceSpec
  readonly status?: NamespaceStatus
}
/**
 * Kept for Kubernetes clients.
 */
export interface NamespaceSpec {
  /**
   * Duties to be done before the namespace goes.
   */
  readonly finalizers: readonly string[]
}
/**
 * What is.
 */
export interface NamespaceStatus {
  /**
   * Terminating: its objects are being deleted.
   */
  readonly phase?: 'Active' | 'Terminating'
}
/**
 * A host with an agent.
 */
export interface Node {
  /**
   * pmk.dev/v1
   */
  readonly apiVersion: 'pmk.dev/v1'
  /**
   * Node
   */
  readonly kind: 'Node'
  readonly metadata: ObjectMeta
  readonly spec?: NodeSpec
  readonly status?: NodeStatus
}
/**
 * What is wanted of the host.
 */
export interface NodeSpec {
  /**
   * True: no new Instances are put here.
   */
  readonly unschedulable: boolean
}
/**
 * What is. Written by the agent.
 */
export interface NodeStatus {
  /**
   * Whether its agent answers.
   */
  readonly phase?: 'Ready' | 'NotReady'
  /**
   * Instances bound to it.
   */
  readonly instances?: number
  /**
   * When the agent last spoke.
   */
  readonly heartbeatTime?: string
  /**
   * cpu and memory of the host.
   */
  readonly capacity?: {
    readonly [k: string]: string
  }
  readonly info?: NodeInfo
  /**
   * Ready, HostSupports.
   */
  readonly conditions?: readonly Condition[]
}
/**
 * What the host is.
 */
export interface NodeInfo {
  /**
   * Version of the agent.
   */
  readonly pmkVersion?: string
  /**
   * Changes with each boot.
   */
  readonly bootID?: string
  /**
   * Version of the kernel.
   */
  readonly kernelVersion?: string
  /**
   * linux
   */
  readonly operatingSystem?: string
  /**
   * Such as x64.
   */
  readonly architecture?: string
  /**
   * Name of the host.
   */
  readonly hostname?: string
}
/**
 * What a Pod uses at this moment, for `kubectl top pods`. Sampled when it is asked for.
 */
export interface PodMetrics {
  /**
   * metrics.k8s.io/v1beta1
   */
  readonly apiVersion: 'metrics.k8s.io/v1beta1'
  /**
   * PodMetrics
   */
  readonly kind: 'PodMetrics'
  readonly metadata: ObjectMeta
  /**
   * When it was sampled.
   */
  readonly timestamp: string
  /**
   * Length of the time that processor time is the mean of, such as 30s.
   */
  readonly window: string
  /**
   * The one container.
   */
  readonly containers: readonly PodContainerMetrics[]
}
/**
 * What the one container uses.
 */
export interface PodContainerMetrics {
  /**
   * Name of the Process.
   */
  readonly name: string
  readonly usage: PodContainerUsage
}
/**
 * Usage of the program's whole tree of processes.
 */
export interface PodContainerUsage {
  /**
   * Processor time, in cores: 250000000n is a quarter of one.
   */
  readonly cpu: string
  /**
   * Resident memory: 1024Ki.
   */
  readonly memory: string
}
/**
 * An Instance as Kubernetes' tools know it, with one container named after its Process, so that `kubectl logs` works. Read-only: change the Process or the Instance instead.
 */
export interface Pod {
  /**
   * v1
   */
  readonly apiVersion: 'v1'
  /**
   * Pod
   */
  readonly kind: 'Pod'
  readonly metadata: ObjectMeta
  readonly spec: PodSpec
  readonly status: PodStatus
}
/**
 * What should run.
 */
export interface PodSpec {
  /**
   * The one program.
   */
  readonly containers: readonly PodContainer[]
  /**
   * The Node whose agent runs it.
   */
  readonly nodeName: string
  /**
   * Whether it is started again when it ends.
   */
  readonly restartPolicy: 'Always' | 'OnFailure' | 'Never'
  /**
   * Seconds that a polite stop may take.
   */
  readonly terminationGracePeriodSeconds: number
}
/**
 * The program.
 */
export interface PodContainer {
  /**
   * Name of the Process.
   */
  readonly name: string
  /**
   * The program.
   */
  readonly image: string
  /**
   * The program with its first arguments, or the interpreter of its script.
   */
  readonly command?: readonly string[]
  /**
   * Further arguments.
   */
  readonly args?: readonly string[]
  /**
   * Where it is started.
   */
  readonly workingDir?: string
  readonly resources?: PodContainerResources
}
/**
 * What it may use.
 */
export interface PodContainerResources {
  /**
   * Bounds by cpu and memory.
   */
  readonly limits?: {
    readonly [k: string]: string
  }
}
/**
 * What is.
 */
export interface PodStatus {
  /**
   * The generation of the Instance that this status is about.
   */
  readonly observedGeneration?: number
  /**
   * Where in its life it is. One that was stopped has Succeeded.
   */
  readonly phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown'
  /**
   * What the STATUS column shows, where that is not the phase: CrashLoopBackOff, NotReady, Stopped, Terminating and the like.
   */
  readonly reason?: string
  /**
   * A sentence for people about the reason.
   */
  readonly message?: string
  /**
   * When the Instance was made.
   */
  readonly startTime: string
  /**
   * PodScheduled, Initialized, ContainersReady, Ready.
   */
  readonly conditions: readonly Condition[]
  /**
   * State of the one program.
   */
  readonly containerStatuses: readonly PodContainerStatus[]
}
/**
 * State of the program.
 */
export interface PodContainerStatus {
  /**
   * Name of the Process.
   */
  readonly name: string
  /**
   * Whether it is ready.
   */
  readonly ready: boolean
  /**
   * Whether it runs and its start is over.
   */
  readonly started: boolean
  /**
   * Unasked deaths that were followed by a start.
   */
  readonly restartCount: number
  /**
   * The program.
   */
  readonly image: string
  /**
   * Always empty.
   */
  readonly imageID: string
  readonly state: PodContainerState
  readonly lastState: PodContainerState
}
/**
 * Waiting, running or terminated; one of them.
 */
export interface PodContainerState {
  readonly waiting?: PodContainerWaiting
  readonly running?: PodContainerRunning
  readonly terminated?: PodContainerTerminated
}
/**
 * It does not run and is to be started.
 */
export interface PodContainerWaiting {
  /**
   * CrashLoopBackOff, Blocked and the like.
   */
  readonly reason?: string
  /**
   * A sentence for people.
   */
  readonly message?: string
}
/**
 * It runs.
 */
export interface PodContainerRunning {
  /**
   * When it was started.
   */
  readonly startedAt?: string
}
/**
 * It has ended.
 */
export interface PodContainerTerminated {
  /**
   * Exit code; 128 + number for a signal. 137 when it can't be known, as Kubernetes has it.
   */
  readonly exitCode: number
  /**
   * Number of the signal that ended it.
   */
  readonly signal?: number
  /**
   * Completed, Error, OOMKilled and the like.
   */
  readonly reason?: string
  /**
   * A sentence for people.
   */
  readonly message?: string
  /**
   * When it was started.
   */
  readonly startedAt?: string
  /**
   * When it ended.
   */
  readonly finishedAt?: string
}
/**
 * A program that is kept running: what it is, how many of it, how to tell that it is well, and what to do when it is not.
 */
export interface Process {
  /**
   * pmk.dev/v1
   */
  readonly apiVersion: 'pmk.dev/v1'
  /**
   * Process
   */
  readonly kind: 'Process'
  readonly metadata: ObjectMeta
  readonly spec: ProcessSpec
  readonly status?: ProcessStatus
}
/**
 * What should run.
 */
export interface ProcessSpec {
  /**
   * What it is, for people.
   */
  readonly description?: string
  /**
   * Whether it should run: what `pmk start` and `pmk stop` write.
   */
  readonly desiredState: 'Running' | 'Stopped'
  /**
   * True: watch and report, but start, stop and restart nothing. What `pmk suspend` and `pmk resume` write.
   */
  readonly suspend: boolean
  /**
   * Time at which a suspension ends by itself.
   */
  readonly suspendUntil?: string
  /**
   * How many Instances of it.
   */
  readonly replicas: number
  /**
   * Number of the first Instance.
   */
  readonly indexStart: number
  /**
   * Node to run on. Absent: chosen by the server.
   */
  readonly nodeName?: string
  /**
   * A new time here restarts all Instances, one after another as updateStrategy says. What `pmk restart` writes.
   */
  readonly restartedAt?: string
  readonly updateStrategy: UpdateStrategy
  /**
   * Old revisions kept for `pmk rollout undo`.
   */
  readonly revisionHistoryLimit: number
  /**
   * The program and its first arguments; never through a shell. A bare name is looked up in searchPath. $(NAME) is replaced by the value of a variable, $$ stands for one $. Either this or script is required.
   *
   * @minItems 1
   */
  readonly command?: readonly [string, ...string[]]
  /**
   * Further arguments, appended to command. $(NAME) is replaced as in command.
   */
  readonly args?: readonly string[]
  /**
   * A script to run instead of command: interpreter with the script as one more argument, then args.
   */
  readonly script?: string
  /**
   * What runs script.
   *
   * @minItems 1
   */
  readonly interpreter: readonly [string, ...string[]]
  /**
   * Directories in which a bare command name is looked up; also the PATH of the program. The server's own PATH is never used.
   */
  readonly searchPath: readonly string[]
  /**
   * Absolute path of the directory the program starts in.
   */
  readonly workingDir: string
  readonly stdin?: Stdin
  readonly forking?: Forking
  /**
   * Names of variables to take over from the server. All others of the server are not passed on.
   */
  readonly inheritEnv?: readonly string[]
  /**
   * Variables of the environment, which is otherwise clean: PATH, HOME, USER, LOGNAME, SHELL, LANG and PMK_NAME, PMK_INSTANCE, PMK_INDEX, PMK_NAMESPACE, PMK_RUN.
   */
  readonly env?: readonly EnvVar[]
  /**
   * Files, ConfigMaps and Secrets that give many variables at once. env wins over envFrom, the later over the earlier.
   */
  readonly envFrom?: readonly EnvFromSource[]
  readonly securityContext?: SecurityContext
  /**
   * Resource limits of setrlimit by name (nofile, nproc, core, as, stack …): a number, `unlimited`, or soft and hard. Unset: what the server was started with, nofile soft 1024.
   */
  readonly rlimits?: {
    readonly [k: string]: RlimitValue
  }
  readonly resources?: Resources
  /**
   * Scheduling priority: 19 is the most yielding. Absent: the server's.
   */
  readonly nice?: number
  readonly ioPriority?: IoPriority
  /**
   * How readily the kernel kills it when memory runs out: 1000 first, -1000 never. Absent: 0.
   */
  readonly oomScoreAdj?: number
  /**
   * CPUs it may run on: 0-3,6.
   */
  readonly cpuAffinity?: string
  /**
   * Processes that must be there before this one is started; they are stopped after it.
   */
  readonly dependsOn?: readonly Dependency[]
  /**
   * How long to wait before the first start after it became wanted.
   */
  readonly startDelay: string
  readonly startupProbe?: Probe
  readonly readinessProbe?: Probe
  readonly livenessProbe?: Probe
  /**
   * Seconds that an Instance must be ready without a break before a roll goes on.
   */
  readonly minReadySeconds: number
  readonly lifecycle?: Lifecycle
  /**
   * Whether to start the program again when it ends.
   */
  readonly restartPolicy: 'Always' | 'OnFailure' | 'Never'
  /**
   * Exit codes (0 to 255) and signals (TERM) that count as a good end.
   */
  readonly successExitCodes: readonly (number | string)[]
  readonly backoff: Backoff
  readonly restartLimit: RestartLimit
  /**
   * Signal that asks the program to end. SIG in front is accepted.
   */
  readonly stopSignal: string
  /**
   * Seconds between the stop signal and KILL.
   */
  readonly terminationGracePeriodSeconds: number
  /**
   * Steps of stopping, instead of stopSignal and terminationGracePeriodSeconds. KILL of the tree is always the last.
   */
  readonly stopSteps?: readonly StopStep[]
  /**
   * Which processes the stop signals reach: all that the program started, its process group, or its main process. The last KILL always reaches all.
   */
  readonly killScope: 'Tree' | 'Group' | 'Main'
  readonly reload?: Reload
  /**
   * Commands of your own for `pmk action`, run as the process's user in its environment.
   */
  readonly actions?: readonly Action[]
  readonly logs: Logs
}
/**
 * How a change reaches the Instances.
 */
export interface UpdateStrategy {
  /**
   * RollingUpdate: one after another, waiting for Ready. OnDelete: an Instance changes when it is next restarted by somebody.
   */
  readonly type: 'RollingUpdate' | 'OnDelete'
  readonly rollingUpdate: RollingUpdate
  /**
   * A roll without progress for so long is reported as failed.
   */
  readonly progressDeadline: string
  /**
   * True: changes are stored and not rolled out.
   */
  readonly paused: boolean
}
/**
 * Bounds of a roll.
 */
export interface RollingUpdate {
  /**
   * How many Instances, as a number or a share such as 25%, may be unready because of the roll. At least 1.
   */
  readonly maxUnavailable: number | string
}
/**
 * What is. Written by the server.
 */
export interface ProcessStatus {
  /**
   * The generation that this status is about.
   */
  readonly observedGeneration?: number
  /**
   * Instances that exist.
   */
  readonly replicas?: number
  /**
   * Instances that are ready.
   */
  readonly readyReplicas?: number
  /**
   * Instances that run the newest revision.
   */
  readonly updatedReplicas?: number
  /**
   * Instances ready for at least minReadySeconds.
   */
  readonly availableReplicas?: number
  /**
   * Unasked deaths that were followed by a start, of all Instances.
   */
  readonly restartCount?: number
  /**
   * The revision that all Instances ran last.
   */
  readonly currentRevision?: string
  /**
   * The newest revision.
   */
  readonly updateRevision?: string
  /**
   * What it does now: Running, Starting, NotReady, Rolling, Blocked, CrashLoopBackOff, GaveUp, Stopping, Stopped, Suspended, Paused, Succeeded, Failed.
   */
  readonly reason?: string
  /**
   * A sentence for people about the reason.
   */
  readonly message?: string
  /**
   * Label selector of its Instances.
   */
  readonly selector?: string
  /**
   * When the roll under way last got further. What updateStrategy.progressDeadline is counted from.
   */
  readonly lastProgressTime?: string
  /**
   * How often two launch templates had the same hash.
   */
  readonly collisionCount?: number
  /**
   * Ready, Available, Progressing, HostSupports.
   */
  readonly conditions?: readonly Condition[]
}
/**
 * One launch template of a Process, never changed: what rollouts and undo go between.
 */
export interface Revision {
  /**
   * pmk.dev/v1
   */
  readonly apiVersion: 'pmk.dev/v1'
  /**
   * Revision
   */
  readonly kind: 'Revision'
  readonly metadata: ObjectMeta
  /**
   * Counts the revisions of the Process; the highest is the newest. Grows when an old template comes back.
   */
  readonly revision: number
  readonly spec: RevisionSpec
}
/**
 * The template and where it came from.
 */
export interface RevisionSpec {
  /**
   * Name of its Process.
   */
  readonly process: string
  /**
   * The annotation kubernetes.io/change-cause of the Process when it was made.
   */
  readonly cause?: string
  /**
   * Fingerprint of the Secrets and ConfigMaps that env and envFrom name, when there are any.
   */
  readonly dataHash?: string
  /**
   * The launch fields of the Process, with defaults left out.
   */
  readonly template: {}
}
/**
 * Grants the rules of a Role or ClusterRole in one namespace.
 */
export interface RoleBinding {
  /**
   * rbac.authorization.k8s.io/v1
   */
  readonly apiVersion: 'rbac.authorization.k8s.io/v1'
  /**
   * RoleBinding
   */
  readonly kind: 'RoleBinding'
  readonly metadata: ObjectMeta
  /**
   * Whom it is granted to.
   */
  readonly subjects?: readonly Subject[]
  readonly roleRef: RoleRef
}
/**
 * What may be done in one namespace.
 */
export interface Role {
  /**
   * rbac.authorization.k8s.io/v1
   */
  readonly apiVersion: 'rbac.authorization.k8s.io/v1'
  /**
   * Role
   */
  readonly kind: 'Role'
  readonly metadata: ObjectMeta
  /**
   * What is allowed: the sum of all rules.
   */
  readonly rules?: readonly PolicyRule[]
}
/**
 * Settings that must not be seen. They lie unencrypted in the data directory of the server, which only its user can read.
 */
export interface Secret {
  /**
   * v1
   */
  readonly apiVersion: 'v1'
  /**
   * Secret
   */
  readonly kind: 'Secret'
  readonly metadata: ObjectMeta
  /**
   * What sort of secret.
   */
  readonly type: string
  /**
   * Bytes by key, in base64.
   */
  readonly data?: {
    readonly [k: string]: string
  }
  /**
   * Texts by key; turned into data when written, never shown.
   */
  readonly stringData?: {
    readonly [k: string]: string
  }
  /**
   * True: the data can never be changed.
   */
  readonly immutable?: boolean
}
/**
 * Asks whether the asker may do something. Nothing is stored.
 */
export interface SelfSubjectAccessReview {
  /**
   * authorization.k8s.io/v1
   */
  readonly apiVersion: 'authorization.k8s.io/v1'
  /**
   * SelfSubjectAccessReview
   */
  readonly kind: 'SelfSubjectAccessReview'
  readonly metadata: ObjectMeta
  readonly spec: SelfSubjectAccessReviewSpec
  readonly status?: AccessReviewStatus
}
/**
 * What: one of both.
 */
export interface SelfSubjectAccessReviewSpec {
  readonly resourceAttributes?: ResourceAttributes
  readonly nonResourceAttributes?: NonResourceAttributes
}
/**
 * Asks who the asker is. Nothing is stored.
 */
export interface SelfSubjectReview {
  /**
   * authentication.k8s.io/v1
   */
  readonly apiVersion: 'authentication.k8s.io/v1'
  /**
   * SelfSubjectReview
   */
  readonly kind: 'SelfSubjectReview'
  readonly metadata: ObjectMeta
  readonly status?: SelfSubjectReviewStatus
}
/**
 * The answer.
 */
export interface SelfSubjectReviewStatus {
  readonly userInfo?: UserInfo
}
/**
 * Who somebody is.
 */
export interface UserInfo {
  /**
   * The name.
   */
  readonly username?: string
  /**
   * A number that no other user of the name has.
   */
  readonly uid?: string
  /**
   * Groups.
   */
  readonly groups?: readonly string[]
  /**
   * More, by topic.
   */
  readonly extra?: {
    readonly [k: string]: readonly string[]
  }
}
/**
 * Asks for all that the asker may do in a namespace. Nothing is stored.
 */
export interface SelfSubjectRulesReview {
  /**
   * authorization.k8s.io/v1
   */
  readonly apiVersion: 'authorization.k8s.io/v1'
  /**
   * SelfSubjectRulesReview
   */
  readonly kind: 'SelfSubjectRulesReview'
  readonly metadata: ObjectMeta
  readonly spec: SelfSubjectRulesReviewSpec
  readonly status?: SubjectRulesReviewStatus
}
/**
 * Where.
 */
export interface SelfSubjectRulesReviewSpec {
  /**
   * The namespace.
   */
  readonly namespace?: string
}
/**
 * The answer.
 */
export interface SubjectRulesReviewStatus {
  /**
   * Whether there may be more.
   */
  readonly incomplete: boolean
  /**
   * What went wrong.
   */
  readonly evaluationError?: string
  /**
   * What may be done to objects.
   */
  readonly resourceRules: readonly ResourceRule[]
  /**
   * What may be done to paths.
   */
  readonly nonResourceRules: readonly NonResourceRule[]
}
/**
 * Verbs on resources.
 */
export interface ResourceRule {
  /**
   * Verbs.
   */
  readonly verbs: readonly string[]
  /**
   * API groups.
   */
  readonly apiGroups?: readonly string[]
  /**
   * Resources.
   */
  readonly resources?: readonly string[]
  /**
   * Names; absent: all.
   */
  readonly resourceNames?: readonly string[]
}
/**
 * Verbs on paths.
 */
export interface NonResourceRule {
  /**
   * Verbs.
   */
  readonly verbs: readonly string[]
  /**
   * Paths.
   */
  readonly nonResourceURLs?: readonly string[]
}
/**
 * Kubernetes' tools ask for Services to tell where a cluster runs. There are none.
 */
export interface Service {
  /**
   * v1
   */
  readonly apiVersion: 'v1'
  /**
   * Service
   */
  readonly kind: 'Service'
  readonly metadata: ObjectMeta
}
/**
 * Asks whether somebody may do something. Nothing is stored.
 */
export interface SubjectAccessReview {
  /**
   * authorization.k8s.io/v1
   */
  readonly apiVersion: 'authorization.k8s.io/v1'
  /**
   * SubjectAccessReview
   */
  readonly kind: 'SubjectAccessReview'
  readonly metadata: ObjectMeta
  readonly spec: SubjectAccessReviewSpec
  readonly status?: AccessReviewStatus
}
/**
 * Who and what.
 */
export interface SubjectAccessReviewSpec {
  readonly resourceAttributes?: ResourceAttributes
  readonly nonResourceAttributes?: NonResourceAttributes
  /**
   * The user.
   */
  readonly user?: string
  /**
   * Their groups.
   */
  readonly groups?: readonly string[]
  /**
   * Not looked at.
   */
  readonly uid?: string
  /**
   * Not looked at.
   */
  readonly extra?: {
    readonly [k: string]: readonly string[]
  }
}
/**
 * A bearer token: who shows it is this user. The token itself is known to nobody but its bearer; here lies only its hash. Deleting it revokes it at once.
 */
export interface Token {
  /**
   * pmk.dev/v1
   */
  readonly apiVersion: 'pmk.dev/v1'
  /**
   * Token
   */
  readonly kind: 'Token'
  readonly metadata: ObjectMeta
  readonly spec: TokenSpec
}
/**
 * Who its bearer is. Never changes.
 */
export interface TokenSpec {
  /**
   * Name of the user. Who creates the Token needs the right to impersonate this user.
   */
  readonly user: string
  /**
   * Groups of the user, besides system:authenticated. Who creates the Token needs the right to impersonate each.
   *
   * @maxItems 100
   */
  readonly groups?: readonly string[]
  /**
   * SHA-256 of the token, in hexadecimal digits. The token is `pmk_NAME_SECRET`, with the name of this object and 64 random hexadecimal digits.
   */
  readonly hash: string
  /**
   * From then on it is refused; a day later it is deleted. Absent: it never expires.
   */
  readonly expiresAt?: string
  /**
   * What it is for.
   */
  readonly description?: string
}
