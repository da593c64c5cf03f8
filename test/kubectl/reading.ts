import type { Client } from '../../src/client/client.ts'
import { coreYaml, documents, processYaml } from './manifests.ts'
import type { Row } from './row.ts'

/** Looking: get in all its forms, describe, events, watches. */
export const reading: readonly Row[] = [
  {
    run: 'apply -f reading.yaml',
    files: {
      'reading.yaml': documents(
        processYaml('web', { replicas: 2 }, { labels: { app: 'web', tier: 'front' } }),
        processYaml('db', { replicas: 1 }, { labels: { app: 'db' } }),
      ),
    },
    prints: 'process.pmk.dev/web created\nprocess.pmk.dev/db created\n',
  },
  { run: 'wait --for=condition=Ready process/web process/db', prints: /web condition met\n.*db condition met\n/ },
  // Tables
  { run: 'get processes', prints: /^NAME +READY +STATUS +RESTARTS +AGE\ndb +1\/1 +Running +0 +\d+s\nweb +2\/2 +Running +0 +\d+s\n$/ },
  { run: 'get proc web', prints: /^NAME .*\nweb +2\/2 .*\n$/ },
  { run: 'get process.pmk.dev/web', prints: /^NAME .*\nweb +2\/2 .*\n$/ },
  { run: 'get processes.v1.pmk.dev --no-headers', prints: /^db .*\nweb .*\n$/ },
  {
    run: 'get proc -o wide',
    prints:
      /^NAME +READY +STATUS +RESTARTS +AGE +UP-TO-DATE +REVISION +SOURCE +COMMAND\ndb .* 1 +db-\S+ +(?:<none> +)?sleep 1000\nweb .* 2 +web-\S+ +(?:<none> +)?sleep 1000\n$/,
  },
  { run: 'get all', prints: [/process\.pmk\.dev\/web +2\/2/, /instance\.pmk\.dev\/web-1 +true/] },
  { run: 'get pmk', prints: [/revision\.pmk\.dev\/web-/, /node\.pmk\.dev\/host +Ready/] },
  { run: 'get proc -A', prints: /^NAMESPACE +NAME .*\ndefault +db .*\ndefault +web .*\n$/ },
  { run: 'get proc -n nowhere', prints: 'No resources found in nowhere namespace.\n' },
  { run: 'get proc -l app=web', prints: /^NAME.*\nweb .*\n$/ },
  { run: "get proc -l 'app in (web, db),!tier' -o name", prints: 'process.pmk.dev/db\n' },
  { run: 'get proc -l app=none', prints: 'No resources found in default namespace.\n' },
  { run: 'get proc -l app=none=', prints: /unable to parse requirement|BadRequest|found '=', expected/, code: 1 },
  { run: 'get proc --field-selector metadata.name=web -o name', prints: 'process.pmk.dev/web\n' },
  { run: 'get proc --field-selector spec.desiredState!=Running', prints: 'No resources found in default namespace.\n' },
  { run: 'get proc --field-selector spec.bogus=1', prints: /field label not supported: spec\.bogus/, code: 1 },
  { run: 'get proc --show-labels', prints: /LABELS\n.*app=db\n.*app=web,tier=front\n$/ },
  { run: 'get proc -L tier', prints: /TIER\ndb .*s +\nweb .* front\n$/ },
  { run: 'get proc,rev --show-kind --no-headers', prints: [/^process\.pmk\.dev\/db /, /\nrevision\.pmk\.dev\/db-/] },
  { run: 'get proc/web inst/web-0', prints: [/process\.pmk\.dev\/web /, /instance\.pmk\.dev\/web-0 /] },
  { run: 'get -f reading.yaml -o name', prints: 'process.pmk.dev/web\nprocess.pmk.dev/db\n' },
  { run: 'get proc --server-print=false', prints: /^NAME +AGE\ndb +\d+s\nweb +\d+s\n$/ },
  { run: 'get proc --chunk-size=1 -o name', prints: 'process.pmk.dev/db\nprocess.pmk.dev/web\n' },
  { run: 'get proc --sort-by={.spec.replicas}', prints: /^NAME .*\ndb .*\nweb .*\n$/ },
  { run: 'get proc --sort-by=.metadata.labels.tier -o name', prints: /process\.pmk\.dev\/db\nprocess\.pmk\.dev\/web\n$/ },
  {
    run: 'get inst,no,rev,ns,ev,cm,secrets',
    prints: [/instance.pmk.dev\/db-0 +true +Running/, /node.pmk.dev\/host/, /namespace\/default +Active/],
  },
  // Objects
  {
    run: 'get proc web -o yaml',
    prints: [/^apiVersion: pmk\.dev\/v1\nkind: Process\n/, /\n {2}uid: \S+\nspec:\n/, /\n {2}readyReplicas: 2\n/],
  },
  { run: 'get proc web -o json --show-managed-fields', prints: [/"manager": "kubectl-client-side-apply"/, /"f:command": \{\}/] },
  { run: 'get proc -o yaml', prints: [/^apiVersion: v1\nitems:\n- apiVersion: pmk\.dev\/v1\n/, /kind: List\n/] },
  { run: 'get proc -o name', prints: 'process.pmk.dev/db\nprocess.pmk.dev/web\n' },
  { run: 'get proc web -o jsonpath={.spec.command[0]}:{.spec.replicas}', prints: 'sleep:2' },
  { run: "get proc -o 'jsonpath={range .items[*]}{.metadata.name}={.status.readyReplicas} {end}'", prints: 'db=1 web=2 ' },
  { run: 'get proc -o custom-columns=N:.metadata.name,R:.spec.replicas', prints: 'N     R\ndb    1\nweb   2\n' },
  { run: "get proc -o 'go-template={{range .items}}{{.metadata.name}} {{end}}'", prints: 'db web ' },
  { run: 'get proc web --subresource=status -o name', prints: 'process.pmk.dev/web\n' },
  { run: 'get proc web --subresource=scale -o jsonpath={.spec.replicas}/{.kind}', prints: '2/Scale' },
  { run: 'get --raw /apis/pmk.dev/v1/namespaces/default/processes/web', prints: /^\{.*"name":"web".*\}$/ },
  { run: 'get --raw /livez/ping', prints: 'ok' },
  // What isn't there
  { run: 'get proc none', prints: 'Error from server (NotFound): processes.pmk.dev "none" not found\n', code: 1 },
  { run: 'get proc none --ignore-not-found', prints: '' },
  { run: 'get nonsense', prints: /the server doesn't have a resource type "nonsense"/, code: 1 },
  { run: 'get --raw /apis/pmk.dev/v1/nonsense', prints: /the server could not find the requested resource/, code: 1 },
  // Describe and events
  {
    run: 'describe proc web',
    prints: [
      /^Name: +web\nNamespace: +default\nLabels: +app=web\n +tier=front\n/,
      /\nKind: +Process\n/,
      / Ready Replicas: +2\n/,
      /\nEvents:/,
    ],
  },
  { run: 'describe proc', prints: [/^Name: +db\n/, /\n\nName: +web\n/] },
  { run: 'describe inst -l pmk.dev/process=web', prints: [/^Name: +web-0\n/, /\nName: +web-1\n/] },
  { run: 'describe node.pmk.dev host', prints: /^Name: +host\n/ },
  { run: 'describe ns default', prints: [/^Name: +default\n/, /Status: +Active\n/] },
  { run: 'describe proc none', prints: /NotFound/, code: 1 },
  // Watches
  {
    run: 'get cm -w --output-watch-events -l watched=list',
    follow: [
      { when: /^$/, act: ({ client }) => put(client, 'one', 'list', { a: '1' }) },
      { when: /ADDED +one +1/, act: ({ client }) => put(client, 'one', 'list', { a: '1', b: '2' }) },
      { when: /MODIFIED +one +2/, act: ({ client }) => client.for('ConfigMap').delete({ name: 'one' }) },
      { when: /DELETED/ },
    ],
    prints: /^EVENT +NAME +DATA +AGE\nADDED +one +1 .*\nMODIFIED +one +2 .*\nDELETED +one +2 .*\n$/,
  },
  { run: 'create -f -', stdin: coreYaml('ConfigMap', 'two', { data: { a: '1' } }), prints: 'configmap/two created\n' },
  {
    run: 'get cm two -w --output-watch-events',
    follow: [
      { when: /ADDED +two +1/, act: ({ client }) => put(client, 'two', 'name', { a: '1', b: '2' }) },
      { when: /MODIFIED +two +2/, act: ({ client }) => put(client, 'two', 'name', { a: '1', b: '2', c: '3' }) },
      { when: /MODIFIED +two +3/, act: ({ client }) => client.for('ConfigMap').delete({ name: 'two' }) },
      { when: /DELETED/ },
    ],
    prints: /^EVENT +NAME +DATA +AGE\nADDED +two +1 .*\nMODIFIED +two +2 .*\nMODIFIED +two +3 .*\nDELETED +two +3 .*\n$/,
  },
  {
    run: 'get proc -v=6 --watch-only -o jsonpath={.metadata.name}={.spec.replicas}',
    follow: [
      {
        when: /watch=true.*200 OK/,
        act: ({ client }) => client.for('Process').patch({ name: 'db' }, { type: 'merge', value: { spec: { replicas: 2 } } }),
      },
      { when: /db=2/ },
    ],
  },
  { run: 'delete -f reading.yaml --wait=false', prints: /"web" deleted.*\n.*"db" deleted/ },
]

async function put(client: Client, name: string, label: string, data: Record<string, string>): Promise<void> {
  const value = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels: { watched: label } }, data }
  await client.for('ConfigMap').patch({ name }, { type: 'apply', value })
}
