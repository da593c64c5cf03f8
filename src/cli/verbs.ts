import { verb as getVerb } from './get.ts'
import type { VerbTable } from './verb.ts'

/**
 * Every verb, by the words that call it (`rollout status` is two). Its module is loaded when the verb is run and not before:
 * `pmk get` must not pay for what `pmk apply` needs.
 */
export const verbs: VerbTable = {
  'server run': { group: 'Server', summary: 'Run the server in the foreground', load: () => import('./server-run.ts') },
  'server start': { group: 'Server', summary: 'Start the server in the background', load: () => import('./server-start.ts') },
  'server stop': { group: 'Server', summary: 'Stop the server; processes go on', load: () => import('./server-stop.ts') },
  'server status': { group: 'Server', summary: 'Say whether the server runs', load: () => import('./server-status.ts') },
  'server backup': { group: 'Server', summary: 'Write all that the server holds to a file', load: () => import('./server-backup.ts') },
  'server restore': { group: 'Server', summary: 'Go back to a backup', load: () => import('./server-restore.ts') },
  'server install': {
    group: 'Server',
    summary: 'Have the server started at boot',
    load: () => import('./server-install.ts').then((module) => ({ verb: module.installVerb })),
  },
  'server uninstall': {
    group: 'Server',
    summary: 'Take back server install',
    load: () => import('./server-install.ts').then((module) => ({ verb: module.uninstallVerb })),
  },
  get: { group: 'Objects', summary: 'Show objects in a table, or as YAML, JSON …', load: async () => ({ verb: getVerb }) },
  apply: { group: 'Objects', summary: 'Make the server hold what files say', load: () => import('./apply.ts') },
  diff: { group: 'Objects', summary: 'Show what apply would change, and what would restart', load: () => import('./diff.ts') },
  delete: { group: 'Objects', summary: 'Delete objects, and wait until they are gone', load: () => import('./delete.ts') },
  patch: { group: 'Objects', summary: 'Change fields of an object', load: () => import('./patch.ts') },
  label: { group: 'Objects', summary: 'Set or remove labels', load: () => import('./label.ts') },
  annotate: { group: 'Objects', summary: 'Set or remove annotations', load: () => import('./annotate.ts') },
  scale: { group: 'Objects', summary: 'Set the number of Instances', load: () => import('./scale.ts') },
  edit: { group: 'Objects', summary: 'Change an object in your editor', load: () => import('./edit.ts') },
  wait: { group: 'Objects', summary: 'Wait for a condition, a value, creation or deletion', load: () => import('./wait.ts') },
  describe: { group: 'Objects', summary: 'Show one object with its conditions, instances and events', load: () => import('./describe.ts') },
  events: { group: 'Objects', summary: 'Show what happened', load: () => import('./events.ts') },
  explain: { group: 'Other', summary: 'Describe the fields of a kind', load: () => import('./explain.ts') },
  init: { group: 'Other', summary: 'Write a manifest for a command line', load: () => import('./init.ts') },
  'api-resources': { group: 'Other', summary: 'List the kinds', load: () => import('./api-resources.ts') },
  completion: { group: 'Other', summary: 'Print completion code for a shell', load: () => import('./completion.ts') },
  start: { group: 'Processes', summary: 'Start Processes, or try again now what has failed', load: () => import('./start.ts') },
  stop: { group: 'Processes', summary: 'Stop Processes and keep them stopped', load: () => import('./stop.ts') },
  restart: {
    group: 'Processes',
    summary: 'Restart Processes one Instance after another, or one Instance',
    load: () => import('./restart.ts'),
  },
  suspend: { group: 'Processes', summary: 'Leave Processes as they are: correct nothing', load: () => import('./suspend.ts') },
  resume: { group: 'Processes', summary: 'End a suspension', load: () => import('./resume.ts') },
  reload: { group: 'Processes', summary: 'Have programs read their configuration anew', load: () => import('./reload.ts') },
  signal: { group: 'Processes', summary: 'Send a signal once', load: () => import('./signal.ts') },
  action: { group: 'Processes', summary: 'Run one of the commands of spec.actions', load: () => import('./action.ts') },
  pause: { group: 'Processes', summary: 'Freeze the processes of programs', load: () => import('./pause.ts') },
  unpause: { group: 'Processes', summary: 'Let frozen programs go on', load: () => import('./unpause.ts') },
  logs: { group: 'Processes', summary: 'Print the output of programs', load: () => import('./logs.ts') },
  why: { group: 'Processes', summary: 'Tell why something is as it is', load: () => import('./why.ts') },
  top: { group: 'Processes', summary: 'Show what programs use of processor and memory', load: () => import('./top.ts') },
  'rollout status': { group: 'Processes', summary: 'Tell how far a rollout has come', load: () => import('./rollout-status.ts') },
  'rollout history': { group: 'Processes', summary: 'Show the revisions of a Process', load: () => import('./rollout-history.ts') },
  'rollout undo': { group: 'Processes', summary: 'Go back to an earlier revision', load: () => import('./rollout-undo.ts') },
  'rollout restart': { group: 'Processes', summary: 'Restart one Instance after another', load: () => import('./rollout-restart.ts') },
  'rollout pause': {
    group: 'Processes',
    summary: 'Hold a rollout',
    load: () => import('./rollout-pause.ts').then((module) => ({ verb: module.pauseVerb })),
  },
  'rollout resume': {
    group: 'Processes',
    summary: 'Let a rollout go on',
    load: () => import('./rollout-pause.ts').then((module) => ({ verb: module.resumeVerb })),
  },
  version: { group: 'Other', summary: 'Show the versions of client and server', load: () => import('./version.ts') },
  complete: { group: 'Other', summary: 'Complete a command line', hidden: true, load: () => import('./complete.ts') },
}
