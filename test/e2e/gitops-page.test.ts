import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { type Answer, inRepository, missing, processesOf, run } from '../support/pmk.ts'

const page = readFileSync(inRepository('docs/gitops.md'), 'utf8')
const blocks = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block ?? '')
const manifests = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, block]) => block ?? '')

/** What the page says a block shows. */
const SHOWS: readonly (readonly [command: string, output: RegExp])[] = [
  [
    'pmk sync ~/manifests --dry-run',
    /process\.pmk\.dev\/clock created \(server dry run\)[\s\S]*clock created\n[\s\S]*clock +1\/1 +Running/,
  ],
  ['rm ~/manifests/motd.yaml', /configmap\/motd created\n[\s\S]*configmap\/motd pruned\n/],
  ['path: $HOME/manifests', /^host +True +Applied[\s\S]*Keeps applied:/m],
  ["jsonpath='{.spec.command[2]}", /host synced: [\s\S]*sleep 10; done/],
  ["echo 'kind: Proces'", /as expected\n[\s\S]*host +False +InvalidManifests.*oops\.yaml:1: [\s\S]*host synced/],
  ['pmk scale clock', /ManifestSource default\/host.*desiredState/],
  ['pmk diff --source host', /clock stopped\n[\s\S]*spec\.desiredState[\s\S]*it would start clock again[\s\S]*condition met/],
  ['mv ~/manifests/clock.yaml ~/clock.yaml', /PruneNeedsConfirmation[\s\S]*host synced/],
  ['git init', /^host +True +Applied +[0-9a-f]{12} /m],
  ['A slower clock', /host synced: 1 object of 1 file at [0-9a-f]{12}, before [0-9a-f]{12}\n[\s\S]*Path in it: +prod/],
  ['pmk server install', /bootstrap +True[\s\S]*made-by=manifests-flag[\s\S]*--manifests=bootstrap=/],
]

/** Commands in the text that other tests run, or that would change the host. */
const ELSEWHERE: ReadonlySet<string> = new Set([
  'pmk apply', // every block
  'pmk sync DIR', // sync-directory.test.ts
  'pmk sync host --confirm-prune', // sync-source.test.ts
  'pmk sync NAME --confirm-prune',
  'pmk sync NAME',
  'pmk explain manifestsource.spec', // below
  'pmk delete source/NAME', // server-manifests.test.ts
  'pmk describe source NAME',
  'pmk resume source/NAME', // sync-source.test.ts
  'pmk server install --manifests /etc/pmk/bootstrap', // with --print in the last block
])

test('every command of docs/gitops.md does what the page says, in its order', { timeout: 240_000, skip: missing('git') }, async () => {
  const home = mkdtempSync(join(tmpdir(), 'pmk-gitops-'))
  const data = join(home, 'data')
  const bin = join(home, 'bin')
  mkdirSync(bin)
  writeFileSync(join(bin, 'pmk'), `#!/bin/sh\nexec "${process.execPath}" "${inRepository('dist/main.js')}" "$@"\n`)
  chmodSync(join(bin, 'pmk'), 0o755)
  const who = { GIT_AUTHOR_NAME: 'a', GIT_AUTHOR_EMAIL: 'a@example.org', GIT_COMMITTER_NAME: 'a', GIT_COMMITTER_EMAIL: 'a@example.org' }
  const env = { HOME: home, PMK_HOME: data, PATH: `${bin}:${process.env.PATH}`, GIT_CONFIG_NOSYSTEM: '1', ...who }
  const shell = (script: string): Promise<Answer> => run(['bash', '-euo', 'pipefail', '-c', script], env)
  try {
    for (const block of blocks) {
      const { code, stdout, stderr } = await shell(block)
      assert.equal(code, 0, `${block}\n${stdout}${stderr}`)
      for (const [command, output] of SHOWS.filter(([start]) => block.includes(start)))
        assert.match(stdout, output, `${command}\n${stderr}`)
    }
    for (const text of [...manifests, readFileSync(inRepository('manifests/gitops.yaml'), 'utf8')]) {
      const { code, stdout, stderr } = await run([join(bin, 'pmk'), 'apply', '--dry-run=server', '-f', '-'], env, text)
      assert.equal(code, 0, stdout + stderr)
    }
    assert.match((await shell('pmk explain manifestsource.spec')).stdout, /dependsOn/)
    await eventually(async () => assert.match((await shell('pmk get processes')).stdout, /^clock +\d\/\d +Running/m))
  } finally {
    await shell('pmk delete sources --all; pmk delete processes --all; pmk server stop')
    for (const { pid } of processesOf(data)) process.kill(pid, 'SIGKILL')
    rmSync(home, { recursive: true, force: true })
  }
})

test('no command of docs/gitops.md goes without a test', () => {
  assert.ok(blocks.length >= 10, `found ${blocks.length}`)
  for (const [command] of SHOWS)
    assert.ok(
      blocks.some((block) => block.includes(command)),
      `${command} is in no block any more`,
    )
  const prose = page.replaceAll(/```[\s\S]*?```/g, '')
  const run_ = blocks.join('\n')
  // A verb alone names it; one with words is a command.
  const commands = [...prose.matchAll(/`(pmk [^`]+)`/g)].map(([, command]) => command ?? '')
  const untested = commands.filter((command) => !run_.includes(command) && !ELSEWHERE.has(command))
  assert.deepEqual(untested, [])
})
