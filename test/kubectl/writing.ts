import { coreYaml, processYaml } from './manifests.ts'
import type { Row } from './row.ts'

const PATH = '/apis/pmk.dev/v1/namespaces/default/processes'

/** Changing objects: create, replace, edit, patch, label, annotate, scale. */
export const writing: readonly Row[] = [
  // create
  { run: 'create -f w.yaml --save-config', files: { 'w.yaml': processYaml('w') }, prints: 'process.pmk.dev/w created\n' },
  { run: 'get proc w -o jsonpath={.metadata.annotations}', prints: /last-applied-configuration/ },
  {
    run: 'create -f w.yaml',
    code: 1,
    prints: 'Error from server (AlreadyExists): error when creating "w.yaml": processes.pmk.dev "w" already exists\n',
  },
  {
    run: 'create -f -',
    stdin: processYaml('', {}, { name: undefined, generateName: 'gen-' }),
    prints: /^process\.pmk\.dev\/gen-[a-z0-9]{5} created\n$/,
  },
  { run: 'create -f - --dry-run=server -o jsonpath={.metadata.uid}', stdin: processYaml('dry'), prints: /^[0-9a-f-]{36}$/ },
  { run: 'create -f - --dry-run=client', stdin: processYaml('dry'), prints: 'process.pmk.dev/dry created (dry run)\n' },
  { run: 'get proc dry --ignore-not-found', prints: '' },
  {
    run: 'create -f -',
    stdin: processYaml('u', { bogus: { a: 1 }, replica: 2 }),
    code: 1,
    prints: /strict decoding error: unknown field "spec\.bogus", unknown field "spec\.replica"/,
  },
  {
    run: 'create -f -',
    stdin: processYaml('u', { replicas: 'two', desiredState: 'Maybe' }),
    code: 1,
    prints: /spec\.desiredState: Unsupported value: "Maybe": supported values: "Running", "Stopped"/,
  },
  {
    run: 'create -f - --validate=warn',
    stdin: processYaml('warned', { bogus: 1 }),
    prints: [/process\.pmk\.dev\/warned created/, /Warning: unknown field "spec\.bogus"/],
  },
  { run: `create --raw ${PATH} -f raw.yaml`, files: { 'raw.yaml': processYaml('raw') }, prints: /"name":"raw"/ },
  { run: 'delete proc warned raw --wait=false', prints: /"raw" deleted/ },
  { run: 'create ns made', prints: 'namespace/made created\n' },
  { run: 'create configmap made --from-literal=a=1', prints: 'configmap/made created\n' },
  { run: 'create secret generic made --from-literal=a=1', prints: 'secret/made created\n' },
  { run: 'create secret generic made --from-literal=a=1 --dry-run=client -o name', prints: 'secret/made\n' },
  { run: 'get cm/made secret/made ns/made -o name', prints: 'configmap/made\nsecret/made\nnamespace/made\n' },
  // replace
  { run: 'replace -f w.yaml', files: { 'w.yaml': processYaml('w', { replicas: 2 }) }, prints: 'process.pmk.dev/w replaced\n' },
  { run: 'replace -f w.yaml --dry-run=server', prints: 'process.pmk.dev/w replaced (server dry run)\n' },
  {
    run: 'replace -f -',
    stdin: processYaml('w', {}, { resourceVersion: '1' }),
    code: 1,
    prints: /Operation cannot be fulfilled on processes\.pmk\.dev "w": the object has been modified/,
  },
  { run: 'replace -f -', stdin: processYaml('none'), code: 1, prints: /processes\.pmk\.dev "none" not found/ },
  {
    run: 'replace --force -f w.yaml',
    files: { 'w.yaml': processYaml('w', { replicas: 3 }) },
    prints: 'process.pmk.dev "w" deleted\nprocess.pmk.dev/w replaced\n',
  },
  { run: 'get proc w -o jsonpath={.spec.replicas}', prints: '3' },
  { run: 'create -f -', stdin: coreYaml('ConfigMap', 'raw', { data: { a: '1' } }), prints: 'configmap/raw created\n' },
  {
    run: 'replace --raw /api/v1/namespaces/default/configmaps/raw -f raw.yaml',
    files: { 'raw.yaml': coreYaml('ConfigMap', 'raw', { data: { a: '2' } }) },
    prints: /"a":"2"/,
  },
  { run: 'delete --raw /api/v1/namespaces/default/configmaps/raw', prints: /"status":"Success"/ },
  // edit
  { run: 'edit proc w', env: { KUBE_EDITOR: 'sed -i s/1000/2000/' }, prints: 'process.pmk.dev/w edited\n' },
  { run: 'edit proc w', env: { KUBE_EDITOR: 'true' }, prints: 'Edit cancelled, no changes made.\n' },
  {
    run: 'edit proc w',
    env: { KUBE_EDITOR: 'sed -i s/Running/Maybe/' },
    code: 1,
    prints: /Edit cancelled, no valid changes were saved/,
  },
  {
    run: 'edit proc w --subresource=status',
    env: { KUBE_EDITOR: 'sed -i s/restartCount:./&7/' },
    prints: /process\.pmk\.dev\/w (edited|skipped)/,
  },
  { run: 'get proc w -o jsonpath={.spec.command[1]}', prints: '2000' },
  // patch
  { run: `patch proc w -p '{"spec":{"replicas":4}}'`, prints: 'process.pmk.dev/w patched\n' },
  { run: `patch proc w --type=merge -p '{"spec":{"replicas":3}}'`, prints: 'process.pmk.dev/w patched\n' },
  { run: `patch proc w --type=merge -p '{"spec":{"replicas":3}}'`, prints: 'process.pmk.dev/w patched (no change)\n' },
  { run: `patch proc w --type=json -p '[{"op":"replace","path":"/spec/replicas","value":5}]'`, prints: 'process.pmk.dev/w patched\n' },
  { run: `patch proc w --type=json -p '[{"op":"test","path":"/spec/replicas","value":6}]'`, code: 1, prints: /test|Invalid/ },
  { run: `patch proc w --type=merge --dry-run=server -p '{"spec":{"replicas":9}}'`, prints: 'process.pmk.dev/w patched\n' },
  {
    run: `patch proc w --type=merge -p '{"spec":{"replicas":"x"}}'`,
    code: 1,
    prints: /spec\.replicas: Invalid value: "string"|spec\.replicas/,
  },
  { run: `patch proc w --subresource=status --type=merge -p '{"status":{"restartCount":8}}'`, prints: 'process.pmk.dev/w patched\n' },
  { run: `patch proc w --subresource=scale --type=merge -p '{"spec":{"replicas":2}}'`, prints: /scale\.autoscaling\/w patched\n/ },
  { run: `patch proc none --type=merge -p '{}'`, code: 1, prints: /processes\.pmk\.dev "none" not found/ },
  { run: `patch ns default -p '{"metadata":{"labels":{"a":"b"}}}'`, prints: 'namespace/default patched\n' },
  { run: 'get proc w -o jsonpath={.spec.replicas}', prints: '2' },
  // label, annotate
  { run: 'label proc w a=b c=d', prints: 'process.pmk.dev/w labeled\n' },
  { run: 'label proc w a=b', prints: 'process.pmk.dev/w not labeled\n' },
  { run: 'label proc w a=x', code: 1, prints: /'a' already has a value \(b\), and --overwrite is false/ },
  { run: 'label proc w a=x --overwrite', prints: 'process.pmk.dev/w labeled\n' },
  { run: 'label proc w a=y --overwrite --resource-version=1', code: 1, prints: /the object has been modified/ },
  { run: 'label proc w --list', prints: [/^a=x$/m, /^c=d$/m] },
  { run: 'label proc -l c=d c-', prints: 'process.pmk.dev/w unlabeled\n' },
  { run: 'label proc --all all=yes --dry-run=server', prints: /process\.pmk\.dev\/w labeled \(server dry run\)\n/ },
  { run: 'label proc w A=&', code: 1, prints: /metadata\.labels: Invalid value: "&"|invalid label/ },
  { run: 'annotate proc w note=hello', prints: /^process\.pmk\.dev\/w annotated?\n$/ },
  { run: 'annotate proc w note=again --overwrite --resource-version=1', code: 1, prints: /the object has been modified/ },
  { run: 'annotate proc w note-', prints: /^process\.pmk\.dev\/w annotated?\n$/ },
  { run: 'get proc w -o jsonpath={.metadata.labels}{.metadata.annotations.note}', prints: '{"a":"x"}' },
  // scale
  { run: 'scale proc/w --replicas=3', prints: 'process.pmk.dev/w scaled\n' },
  { run: 'scale proc w --current-replicas=3 --replicas=4', prints: 'process.pmk.dev/w scaled\n' },
  { run: 'scale proc w --current-replicas=3 --replicas=5', code: 1, prints: /Expected replicas to be 3, was 4/ },
  { run: 'scale proc w --replicas=2 --timeout=10s', prints: 'process.pmk.dev/w scaled\n' },
  { run: 'scale proc w --replicas=5 --dry-run=server', prints: 'process.pmk.dev/w scaled (server dry run)\n' },
  { run: 'scale proc w --resource-version=1 --replicas=5', code: 1, prints: /Expected resource version to be 1/ },
  { run: 'scale proc none --replicas=5', code: 1, prints: /not found|no objects passed to scale/ },
  { run: 'get proc w -o jsonpath={.spec.replicas}/{.status.replicas}', prints: '2/2' },
  { run: 'delete proc --all', prints: [/"gen-\S+" deleted/, /"w" deleted/] },
]
