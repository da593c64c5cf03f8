import { processYaml } from './manifests.ts'
import type { Row } from './row.ts'

/** What clients say of kinds that aren't built into them. */
const UNKNOWN = /no kind "Process" is registered for version "pmk\.dev\/v1"/

/** Asking the server about itself: kinds, fields, versions, events; and what can't be done with processes. */
export const asking: readonly Row[] = [
  // Kinds
  { run: 'api-resources --api-group=pmk.dev --no-headers', prints: /processes +proc,ps +pmk\.dev\/v1 +true +Process\n/ },
  {
    run: 'api-resources --categories=pmk -o name --sort-by=name',
    prints: /^instances\.pmk\.dev\n(.*\n)*nodes\.pmk\.dev\nprocesses\.pmk\.dev\nrevisions\.pmk\.dev\n/,
  },
  { run: 'api-resources --namespaced=false --verbs=list,delete,watch -o name', prints: [/namespaces\n/, /nodes\.pmk\.dev\n/] },
  {
    run: 'api-resources -o wide --api-group=pmk.dev',
    prints: /VERBS +CATEGORIES\n(.*\n)*processes .* create,delete,deletecollection,get,list,patch,update,watch +all,pmk\n/,
  },
  {
    run: 'api-resources -o wide --sort-by=name',
    same: true,
    prints: /^NAME +SHORTNAMES +APIVERSION +NAMESPACED +KIND +VERBS +CATEGORIES\n/,
  },
  { run: 'api-versions', same: true, prints: [/^pmk\.dev\/v1$/m, /^v1$/m] },
  // Fields
  { run: 'explain process', prints: [/KIND: +Process\nVERSION: +(pmk\.dev\/)?v1\n/, /\n {2}spec\t<\w+>/] },
  { run: 'explain proc.spec.readinessProbe.httpGet', prints: [/FIELD: httpGet <HttpGetAction>/, /\n {2}port\t<\S+> -required-\n/] },
  { run: 'explain process.spec.replicas', prints: /FIELD: replicas <integer>\n[\s\S]*How many Instances of it/ },
  { run: 'explain proc.spec.updateStrategy.rollingUpdate', prints: /maxUnavailable\t<IntOrString>/ },
  { run: 'explain process.spec --recursive', prints: [/\n {2}command\t<\[\]string>\n/, /\n {4}httpGet\t<\w+>\n/] },
  {
    run: 'explain process --recursive --api-version=pmk.dev/v1',
    prints: /\n {2}metadata\t<ObjectMeta>\n[\s\S]*\n {2}spec\t<ProcessSpec> -required-\n/,
  },
  { run: 'explain configmap.data', prints: /FIELD: data <map\[string\]string>/ },
  { run: 'explain process.spec.bogus', code: 1, prints: /field "bogus" does not exist/ },
  { run: 'explain process --output=plaintext-openapiv2', code: 1, prints: /couldn't find resource for "pmk\.dev\/v1, Kind=Process"/ },
  // Completion
  { run: `__complete get ''`, prints: /processes\.pmk\.dev\n/ },
  { run: `__complete get -n ''`, prints: /^default\n/ },
  { run: 'completion bash', prints: /__start_kubectl/ },
  { run: 'cluster-info', prints: /control plane.* is running at/ },
  // Server
  { run: 'version', prints: /Server Version: .*v1\.33/ },
  { run: 'version -o json', prints: [/"serverVersion"/, /"minor": "33"/] },
  { run: 'get --raw /version', prints: /"gitVersion": ?"v1\.33/ },
  { run: 'get --raw /readyz?verbose', prints: '[+]ping ok\n[+]ready ok\n[+]store ok\nreadyz check passed\n' },
  {
    run: 'proxy --port=0',
    follow: [
      {
        when: /Starting to serve on 127\.0\.0\.1:\d+\n/,
        act: async ({ fetch, printed }) => {
          const [, address] = /serve on (\S+)/.exec(printed) ?? []
          const answer = await fetch(`http://${address}/apis/pmk.dev/v1/namespaces/default/processes`)
          if (JSON.parse(answer).kind !== 'ProcessList') throw new Error(answer)
        },
      },
    ],
  },
  // Rights
  { run: 'auth can-i delete processes', prints: 'yes\n' },
  { run: 'auth can-i --list', prints: /\n\*\.\* +\[\] +\[\] +\[\*\]\n/ },
  { run: 'auth whoami', prints: /^ATTRIBUTE +VALUE\nUsername +\S+\n/ },
  // Events
  { run: 'apply -f told.yaml', files: { 'told.yaml': processYaml('told') }, prints: 'process.pmk.dev/told created\n' },
  { run: 'wait proc told --for=condition=Ready', prints: 'process.pmk.dev/told condition met\n' },
  {
    run: 'events -w',
    follow: [
      {
        when: /^$/,
        act: ({ client }) => client.for('Process').patch({ name: 'told' }, { type: 'merge', value: { spec: { command: ['sleep', '3'] } } }),
      },
      { when: /(NewRevision[\s\S]*RolloutComplete|RolloutComplete[\s\S]*NewRevision) +Process\/told/ },
    ],
    prints: [/^LAST SEEN.*\n/, /\n.* Normal +NewRevision +Process\/told +rolling to revision told-/],
  },
  { run: 'events', prints: /^LAST SEEN +TYPE +REASON +OBJECT +MESSAGE\n(.*\n)*.*Normal +NewRevision +Process\/told +rolling to/ },
  { run: 'events --for process/told --types=Normal', prints: /Normal +NewRevision +Process\/told/ },
  { run: 'events --for process/web', prints: 'No events found in default namespace.\n' },
  { run: 'events --for process.pmk.dev/told', from: 28, prints: /NewRevision/ },
  { run: 'get events', prints: /^LAST SEEN +TYPE +REASON +OBJECT +MESSAGE\n(.*\n)*.*Normal +NewRevision +process\/told +rolling to/ },
  {
    run: 'get events.events.k8s.io --field-selector regarding.name=told,reason=NewRevision -o jsonpath={.items[*].note}',
    prints: /^rolling to /,
  },
  { run: 'get events --field-selector involvedObject.name=told,reason=NewRevision -o name', prints: /^event\/told\S+\n$/ },
  { run: 'get ev --sort-by=.lastTimestamp --no-headers', prints: /NewRevision/ },
  {
    run: 'describe proc told',
    prints: /Events:\n +Type +Reason +Age +From +Message\n +-.*\n(.*\n)* +Normal +NewRevision +\S+ +\S+ +rolling to revision/,
  },
  { run: "__complete get proc ''", prints: /^told\n/ },
  { run: '__complete describe proc to', prints: /^told\n/ },
  { run: 'get pods -l pmk.dev/process=told', prints: /\ntold-0 / },
  { run: 'describe pod told-0', prints: /^Name: +told-0\n/ },
  // What clients can't do with kinds that they don't know, whatever is served
  { run: 'logs process/told', code: 1, prints: UNKNOWN },
  { run: 'exec process/told -- true', code: 1, prints: UNKNOWN },
  { run: 'attach process/told', code: 1, prints: UNKNOWN },
  { run: 'port-forward process/told 1:1', code: 1, prints: UNKNOWN },
  { run: 'rollout status process/told', code: 1, prints: UNKNOWN },
  { run: 'rollout restart process/told', code: 1, prints: UNKNOWN },
  { run: 'set image process/told a=b', code: 1, prints: UNKNOWN },
  { run: 'expose process told --port=1', code: 1, prints: UNKNOWN },
  { run: 'autoscale process told --max=3', code: 1, prints: /the server could not find the requested resource/ },
  // The agent of this lane has no programs to measure.
  { run: 'top pod', code: 1, prints: /metrics not available yet/ },
  { run: 'delete -f told.yaml', prints: 'process.pmk.dev "told" deleted\n' },
]
