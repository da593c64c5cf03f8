import { documents, processYaml } from './manifests.ts'
import type { Row } from './row.ts'

const many = documents(...['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((name) => processYaml(name, {}, { labels: { name } })))
const NODE = JSON.stringify({ apiVersion: 'pmk.dev/v1', kind: 'Node', metadata: { name: 'spare' } })

/** Deleting, and waiting for what is to come. */
export const ending: readonly Row[] = [
  // delete
  { run: 'apply -f many.yaml', files: { 'many.yaml': many }, prints: /process\.pmk\.dev\/a created/ },
  { run: 'delete proc a', prints: 'process.pmk.dev "a" deleted\n' },
  { run: 'delete proc a', code: 1, prints: 'Error from server (NotFound): processes.pmk.dev "a" not found\n' },
  { run: 'delete proc a --ignore-not-found', prints: '' },
  { run: 'delete proc b --cascade=foreground', prints: 'process.pmk.dev "b" deleted\n' },
  { run: 'get inst -l pmk.dev/process=b', prints: 'No resources found in default namespace.\n' },
  { run: 'delete proc/c --cascade=orphan', prints: 'process.pmk.dev "c" deleted\n' },
  { run: 'get inst c-0 -o jsonpath={.metadata.name}:{.metadata.ownerReferences}', prints: 'c-0:' },
  { run: 'delete inst c-0', prints: 'instance.pmk.dev "c-0" deleted\n' },
  { run: 'delete proc d --now', prints: 'process.pmk.dev "d" deleted\n' },
  { run: 'delete proc e --grace-period=1', prints: 'process.pmk.dev "e" deleted\n' },
  { run: 'delete proc f --force --grace-period=0', prints: [/Warning: Immediate deletion/, /process\.pmk\.dev "f" force deleted\n/] },
  { run: 'delete proc -l name=g --dry-run=server', prints: 'process.pmk.dev "g" deleted (server dry run)\n' },
  { run: 'delete proc -l name=g --wait=false', prints: 'process.pmk.dev "g" deleted\n' },
  { run: 'delete -f many.yaml --ignore-not-found', prints: 'process.pmk.dev "h" deleted\n' },
  { run: 'delete proc --all', prints: 'No resources found\n' },
  { run: 'get proc -o name', prints: '' },
  { run: 'delete ns default', code: 1, prints: /Forbidden|forbidden/ },
  // wait
  { run: 'apply -f many.yaml -l name=a', prints: 'process.pmk.dev/a created\n' },
  { run: 'wait proc a --for=condition=Ready', prints: 'process.pmk.dev/a condition met\n' },
  { run: 'wait proc a --for=condition=ready=TRUE', prints: 'process.pmk.dev/a condition met\n' },
  {
    run: 'wait proc a --for=condition=Ready=False --timeout=100ms',
    code: 1,
    prints: 'error: timed out waiting for the condition on processes/a\n',
  },
  { run: 'wait proc --all --for=jsonpath={.status.readyReplicas}=1', prints: 'process.pmk.dev/a condition met\n' },
  { run: 'wait proc a --for=jsonpath={.status.reason}', from: 31, prints: 'process.pmk.dev/a condition met\n' },
  { run: 'wait proc none --for=condition=Ready', code: 1, prints: /processes\.pmk\.dev "none" not found/ },
  {
    run: 'wait proc a --for=jsonpath={.spec.replicas}=3 -v=6',
    follow: [
      {
        when: /watch=true.*200 OK/,
        act: ({ client }) => client.for('Process').patch({ name: 'a' }, { type: 'merge', value: { spec: { replicas: 3 } } }),
      },
    ],
    code: 0,
    prints: /process\.pmk\.dev\/a condition met\n/,
  },
  {
    run: 'wait proc a --for=delete -v=6',
    follow: [{ when: /watch=true.*200 OK/, act: ({ client }) => client.for('Process').delete({ name: 'a' }) }],
    code: 0,
    prints: /process\.pmk\.dev\/a condition met\n/,
  },
  { run: 'wait proc a --for=delete', prints: '' },
  {
    run: 'wait proc late --for=create -v=6',
    from: 31,
    follow: [
      { when: /processes\/late.*404 Not Found/, act: ({ client }) => client.for('Process').create(JSON.parse(processYaml('late'))) },
    ],
    code: 0,
    prints: /process\.pmk\.dev\/late condition met\n/,
  },
  { run: 'wait proc late --for=create', to: 30, code: 1, prints: /unrecognized condition/ },
  // What is said of an older generation doesn't count
  { run: 'create -f -', stdin: NODE, prints: 'node.pmk.dev/spare created\n' },
  {
    run: `patch node.pmk.dev spare --subresource=status --type=merge -p '{"status":{"conditions":[{"type":"Ready","status":"True","reason":"Said","observedGeneration":0,"lastTransitionTime":"2025-01-01T00:00:00Z"}]}}'`,
    prints: 'node.pmk.dev/spare patched\n',
  },
  { run: 'wait node.pmk.dev spare --for=condition=Ready --timeout=100ms', code: 1, prints: /timed out waiting/ },
  {
    run: `patch node.pmk.dev spare --subresource=status --type=merge -p '{"status":{"conditions":[{"type":"Ready","status":"True","reason":"Said","observedGeneration":1,"lastTransitionTime":"2025-01-01T00:00:00Z"}]}}'`,
    prints: 'node.pmk.dev/spare patched\n',
  },
  { run: 'wait node.pmk.dev spare --for=condition=Ready', prints: 'node.pmk.dev/spare condition met\n' },
  { run: 'delete node.pmk.dev spare', prints: 'node.pmk.dev "spare" deleted\n' },
  { run: 'delete proc --all', prints: /deleted|No resources found/ },
]
