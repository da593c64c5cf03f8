import { coreYaml, documents, processYaml } from './manifests.ts'
import type { Row } from './row.ts'

const OWNERS =
  "get proc ssa --show-managed-fields -o 'jsonpath={range .metadata.managedFields[*]}{.manager}/{.operation}/{.subresource} {end}'"

/** Applying and comparing, by the client and by the server. */
export const applying: readonly Row[] = [
  // As the client does it
  { run: 'apply -f csa.yaml', files: { 'csa.yaml': processYaml('csa') }, prints: 'process.pmk.dev/csa created\n' },
  { run: 'apply -f csa.yaml', prints: 'process.pmk.dev/csa unchanged\n' },
  { run: 'diff -f csa.yaml', prints: '' },
  {
    run: 'diff -f csa.yaml',
    files: { 'csa.yaml': processYaml('csa', { replicas: 2, description: 'two of it' }) },
    code: 1,
    prints: [/\n\+ {2}description: two of it\n/, /\n- {2}replicas: 1\n/, /\n\+ {2}replicas: 2\n/],
  },
  { run: 'apply -f csa.yaml --dry-run=server', prints: 'process.pmk.dev/csa configured (server dry run)\n' },
  { run: 'apply -f csa.yaml --dry-run=client', prints: 'process.pmk.dev/csa configured (dry run)\n' },
  { run: 'get proc csa -o jsonpath={.spec.replicas}', prints: '1' },
  { run: 'apply -f csa.yaml', prints: 'process.pmk.dev/csa configured\n' },
  { run: 'get proc csa -o jsonpath={.spec.replicas}:{.metadata.generation}', prints: '2:2' },
  // It knows no strategic merge of our lists, though the server does
  {
    run: 'apply -v=8 -f -',
    stdin: processYaml('csa', { replicas: 3 }),
    prints: [/application\/merge-patch\+json/, /process\.pmk\.dev\/csa configured\n/],
  },
  { run: 'get proc csa -o jsonpath={.spec.replicas}:{.spec.description}', prints: '3:' },
  { run: 'apply view-last-applied proc csa -o json', prints: [/"replicas": 3/, /"kind": "Process"/] },
  { run: 'apply set-last-applied -f csa.yaml', prints: 'process.pmk.dev/csa configured\n' },
  { run: 'apply edit-last-applied proc csa', env: { KUBE_EDITOR: 'sed -i s/two.of.it/told/' }, prints: 'process.pmk.dev/csa edited\n' },
  { run: 'apply view-last-applied proc csa', prints: /description: told/ },
  { run: 'apply -f csa.yaml --force', prints: 'process.pmk.dev/csa configured\n' },
  { run: 'apply -f csa.yaml -o name', prints: 'process.pmk.dev/csa\n' },
  {
    run: 'apply -f bad.yaml',
    files: { 'bad.yaml': processYaml('bad', { bogus: 1 }) },
    code: 1,
    prints: /strict decoding error: unknown field "spec\.bogus"/,
  },
  {
    run: 'apply -f bad.yaml --validate=warn',
    prints: [/^process\.pmk\.dev\/bad created\n/, /Warning: unknown field "spec\.bogus"/],
  },
  { run: 'apply -f bad.yaml --validate=false', prints: /^process\.pmk\.dev\/bad (configured|unchanged)\n/ },
  {
    run: 'apply -f invalid.yaml',
    files: { 'invalid.yaml': processYaml('invalid', { replicas: -1 }) },
    code: 1,
    prints: /The Process "invalid" is invalid: (\n\* )?spec\.replicas: Invalid value: -1/,
  },
  { run: 'delete proc csa bad', prints: 'process.pmk.dev "csa" deleted\nprocess.pmk.dev "bad" deleted\n' },
  // Several, from everywhere
  {
    run: 'apply -f list.yaml',
    files: {
      'list.yaml': JSON.stringify({
        apiVersion: 'v1',
        kind: 'List',
        items: [processYaml('listed'), coreYaml('ConfigMap', 'listed', { data: { a: '1' } })].map((text) => JSON.parse(text)),
      }),
    },
    prints: 'process.pmk.dev/listed created\nconfigmap/listed created\n',
  },
  { run: 'apply -f list.yaml', prints: 'process.pmk.dev/listed unchanged\nconfigmap/listed unchanged\n' },
  { run: 'delete -f list.yaml', prints: 'process.pmk.dev "listed" deleted\nconfigmap "listed" deleted\n' },
  {
    run: 'apply -f processes.yaml',
    files: {
      'processes.yaml': JSON.stringify({ apiVersion: 'pmk.dev/v1', kind: 'ProcessList', items: [JSON.parse(processYaml('item'))] }),
    },
    prints: 'process.pmk.dev/item created\n',
  },
  { run: 'delete -f processes.yaml', prints: 'process.pmk.dev "item" deleted\n' },
  {
    run: 'apply -k .',
    files: { 'kustomization.yaml': 'namePrefix: k-\nresources: [base.yaml]\n', 'base.yaml': processYaml('web') },
    prints: 'process.pmk.dev/k-web created\n',
  },
  { run: 'diff -k .', prints: '' },
  { run: 'delete -k .', prints: 'process.pmk.dev "k-web" deleted\n' },
  // Kinds that kubectl knows take strategic merge patches
  {
    run: 'apply -f core.yaml',
    files: {
      'core.yaml': documents(
        coreYaml('Namespace', 'team'),
        coreYaml('ConfigMap', 'conf', { data: { a: '1', b: '2' } }),
        coreYaml('Secret', 'cert', { stringData: { key: 'one' } }),
      ),
    },
    prints: 'namespace/team created\nconfigmap/conf created\nsecret/cert created\n',
  },
  { run: 'apply -f core.yaml', prints: /^namespace\/team unchanged\nconfigmap\/conf unchanged\nsecret\/cert (configured|unchanged)\n$/ },
  {
    run: 'apply -f core.yaml',
    files: {
      'core.yaml': documents(
        coreYaml('Namespace', 'team', { metadata: { name: 'team', labels: { a: 'b' } } }),
        coreYaml('ConfigMap', 'conf', { data: { a: '3' } }),
        coreYaml('Secret', 'cert', { stringData: { key: 'two' } }),
      ),
    },
    prints: 'namespace/team configured\nconfigmap/conf configured\nsecret/cert configured\n',
  },
  { run: 'get cm conf -o jsonpath={.data}', prints: '{"a":"3"}' },
  { run: 'get secret cert -o jsonpath={.data}', prints: '{"key":"dHdv"}' },
  {
    run: 'apply -f moved.yaml',
    files: { 'moved.yaml': processYaml('moved', {}, { namespace: 'team' }) },
    prints: 'process.pmk.dev/moved created\n',
  },
  {
    run: 'apply -f moved.yaml -n default',
    code: 1,
    prints: /the namespace from the provided object "team" does not match the namespace "default"/,
  },
  {
    run: 'apply -f lost.yaml',
    files: { 'lost.yaml': processYaml('lost', {}, { namespace: 'nowhere' }) },
    code: 1,
    prints: /namespaces "nowhere" not found/,
  },
  { run: 'delete -f core.yaml', prints: 'namespace "team" deleted\nconfigmap "conf" deleted\nsecret "cert" deleted\n' },
  { run: 'get proc moved -n team --ignore-not-found', prints: '' },
  // Pruning
  {
    run: 'apply -f pruned.yaml --prune -l set=one --prune-allowlist=pmk.dev/v1/Process',
    files: {
      'pruned.yaml': documents(processYaml('keep', {}, { labels: { set: 'one' } }), processYaml('drop', {}, { labels: { set: 'one' } })),
    },
    prints: 'process.pmk.dev/keep created\nprocess.pmk.dev/drop created\n',
  },
  {
    run: 'apply -f pruned.yaml --prune -l set=one --prune-allowlist=pmk.dev/v1/Process',
    files: { 'pruned.yaml': processYaml('keep', {}, { labels: { set: 'one' } }) },
    prints: 'process.pmk.dev/keep unchanged\nprocess.pmk.dev/drop pruned\n',
  },
  {
    run: 'apply -n default -f pruned.yaml --prune --applyset=set',
    env: { KUBECTL_APPLYSET: 'true' },
    files: { 'pruned.yaml': documents(processYaml('in-set'), processYaml('out-of-set')) },
    prints: 'process.pmk.dev/in-set created\nprocess.pmk.dev/out-of-set created\n',
  },
  {
    run: 'apply -n default -f pruned.yaml --prune --applyset=set',
    env: { KUBECTL_APPLYSET: 'true' },
    files: { 'pruned.yaml': processYaml('in-set') },
    prints: 'process.pmk.dev/in-set unchanged\nprocess.pmk.dev/out-of-set pruned\n',
  },
  { run: 'delete proc keep in-set', prints: /"keep" deleted\n.*"in-set" deleted\n/ },
  // As the server does it
  {
    run: 'apply --server-side -f ssa.yaml',
    files: { 'ssa.yaml': processYaml('ssa', { replicas: 2 }) },
    prints: 'process.pmk.dev/ssa serverside-applied\n',
  },
  { run: 'apply --server-side -f ssa.yaml', prints: 'process.pmk.dev/ssa serverside-applied\n' },
  { run: 'diff --server-side -f ssa.yaml', prints: '' },
  {
    run: 'diff --server-side -f ssa.yaml',
    files: { 'ssa.yaml': processYaml('ssa', { replicas: 3 }) },
    code: 1,
    prints: [/\n- {2}replicas: 2\n/, /\n\+ {2}replicas: 3\n/],
  },
  { run: 'apply --server-side -f ssa.yaml --dry-run=server', prints: 'process.pmk.dev/ssa serverside-applied (server dry run)\n' },
  {
    run: 'apply --server-side -f ssa.yaml --field-manager=other',
    code: 1,
    prints: /Apply failed with 1 conflict: conflict with "kubectl": \.spec\.replicas\n/,
  },
  { run: 'apply --server-side -f ssa.yaml --field-manager=other --force-conflicts', prints: 'process.pmk.dev/ssa serverside-applied\n' },
  { run: 'get proc ssa -o jsonpath={.spec.replicas}', prints: '3' },
  { run: OWNERS, prints: [/(^| )kubectl\/Apply\/ /, /(^| )other\/Apply\/ /] },
  { run: 'delete -f ssa.yaml', prints: 'process.pmk.dev "ssa" deleted\n' },
  // From the one to the other
  { run: 'apply -f ssa.yaml', files: { 'ssa.yaml': processYaml('ssa', { replicas: 1 }) }, prints: 'process.pmk.dev/ssa created\n' },
  {
    run: 'apply --server-side -f ssa.yaml',
    files: { 'ssa.yaml': processYaml('ssa', { replicas: 2 }) },
    prints: 'process.pmk.dev/ssa serverside-applied\n',
  },
  {
    run: 'apply --server-side -f ssa.yaml',
    files: { 'ssa.yaml': processYaml('ssa', { replicas: 4 }) },
    prints: 'process.pmk.dev/ssa serverside-applied\n',
  },
  { run: OWNERS, prints: /^(?!.*kubectl-client-side-apply)(?!.*kubectl\/Apply.*kubectl\/Apply).*kubectl\/Apply\/ / },
  { run: 'get proc ssa -o jsonpath={.spec.replicas}', prints: '4' },
  { run: 'delete proc ssa', prints: 'process.pmk.dev "ssa" deleted\n' },
]
