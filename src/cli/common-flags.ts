/** Flags that several verbs share, with kubectl's names. */
export const fileFlags = {
  filename: { type: 'strings', short: 'f', placeholder: 'FILE', help: 'File, directory, or - for standard input; may be given again' },
  recursive: { type: 'boolean', short: 'R', help: 'Look into the directories of the directories of -f, too' },
} as const

export const selectorFlag = {
  selector: { type: 'string', short: 'l', placeholder: 'LABELS', help: 'Only objects with these labels: app=web,tier!=test' },
} as const

export const fieldSelectorFlag = {
  'field-selector': { type: 'string', placeholder: 'FIELDS', help: 'Only objects with these fields: status.phase=Running' },
} as const

export const allFlag = { all: { type: 'boolean', help: 'All objects of these kinds in the namespace' } } as const

export const allNamespacesFlag = { 'all-namespaces': { type: 'boolean', short: 'A', help: 'In all namespaces' } } as const

export const dryRunFlag = {
  'dry-run': {
    type: 'string',
    placeholder: 'server|client',
    default: 'none',
    optional: 'client',
    help: 'Do not do it: check it on the server, or only here',
  },
} as const

export const outputFlag = {
  output: {
    type: 'string',
    short: 'o',
    placeholder: 'FORMAT',
    help: 'json, yaml, name, wide, jsonpath=TEMPLATE, custom-columns=HEADER:PATH,…',
  },
  'show-managed-fields': { type: 'boolean', help: 'With json and yaml: show metadata.managedFields, too' },
} as const

export const fieldManagerFlag = (
  name: string,
): {
  readonly 'field-manager': { readonly type: 'string'; readonly placeholder: 'NAME'; readonly default: string; readonly help: string }
} => ({
  'field-manager': { type: 'string', placeholder: 'NAME', default: name, help: `Who owns the fields written (default ${name})` },
})
