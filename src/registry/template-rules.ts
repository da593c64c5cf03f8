import { forbiddenField, invalidField, requiredField, tooLongField, unsupportedField } from '../api/field-errors.ts'
import { checkDnsSubdomain } from '../api/names.ts'
import type { Cause } from '../api/status.ts'
import { parseQuantity } from '../base/quantity.ts'
import { signalNumberOf } from '../base/signals.ts'
import type { EnvVar, ExecAction, Probe, ProcessTemplate } from '../generated/types.ts'

/** Where a template lies in its object, and the Process that it is of. */
export interface TemplatePlace {
  readonly at: string
  readonly name: string
}

/** What the schema can't say of a template. One cause for each bad field. */
export function validateTemplate(template: ProcessTemplate, { at, name }: TemplatePlace): readonly Cause[] {
  return [
    ...checkProgram(template, at),
    ...checkEnvironment(template, at),
    ...checkLimits(template, at),
    ...checkResources(template, `${at}.resources.limits`),
    ...checkDependencies(template, at, name),
    ...checkProbes(template, at),
    ...checkCommands(template, at),
    ...checkExitCodes(template, at),
  ]
}

function checkProgram({ command, args = [], script, interpreter, searchPath, workingDir }: ProcessTemplate, at: string): readonly Cause[] {
  const causes: Cause[] = []
  if (command === undefined && script === undefined) {
    causes.push(requiredField(`${at}.command`, 'either command or script says what to run'))
  } else if (command !== undefined && script !== undefined) {
    causes.push(forbiddenField(`${at}.script`, 'command is set too; only one of the two can say what to run'))
  }
  if (command?.[0] === '') causes.push(invalidField(`${at}.command[0]`, '', 'must name a program'))
  if (interpreter[0] === '') causes.push(invalidField(`${at}.interpreter[0]`, '', 'must name a program'))
  causes.push(...checkWords(command ?? [], `${at}.command`), ...checkWords(args, `${at}.args`))
  causes.push(...checkWords(interpreter, `${at}.interpreter`), ...checkWords(searchPath, `${at}.searchPath`))
  causes.push(...checkWord(script ?? '', `${at}.script`), ...checkWord(workingDir, `${at}.workingDir`))
  return causes
}

function checkEnvironment({ env = [], envFrom = [], inheritEnv = [] }: ProcessTemplate, at: string): readonly Cause[] {
  return [
    ...env.flatMap((variable, index) => checkVariable(variable, `${at}.env[${index}]`)),
    ...envFrom.flatMap((source, index) => exactlyOne(source, ['file', 'configMapRef', 'secretRef'], `${at}.envFrom[${index}]`)),
    ...inheritEnv.flatMap((name, index) => checkVariableName(name, `${at}.inheritEnv[${index}]`)),
  ]
}

function checkVariable({ name, value, valueFrom }: EnvVar, field: string): readonly Cause[] {
  const causes = [...checkVariableName(name, `${field}.name`), ...checkWord(`${name}=${value ?? ''}`, `${field}.value`)]
  if (valueFrom === undefined) return causes
  if (value !== undefined && value !== '') {
    causes.push(forbiddenField(`${field}.valueFrom`, 'value is set too; only one of the two can give the value'))
  }
  causes.push(...exactlyOne(valueFrom, ['secretKeyRef', 'configMapKeyRef', 'fieldRef', 'fileRef', 'exec'], `${field}.valueFrom`))
  const path = valueFrom.fieldRef?.fieldPath
  if (path !== undefined && !FIELD_PATHS.includes(path) && !/^metadata\.(labels|annotations)\['[^']+'\]$/.test(path)) {
    causes.push(
      unsupportedField(`${field}.valueFrom.fieldRef.fieldPath`, path, [
        ...FIELD_PATHS,
        "metadata.labels['KEY']",
        "metadata.annotations['KEY']",
      ]),
    )
  }
  return [...causes, ...checkExec(valueFrom.exec, `${field}.valueFrom.exec`)]
}

const FIELD_PATHS: readonly string[] = ['metadata.name', 'metadata.namespace', 'metadata.uid', 'spec.nodeName', 'spec.index']

function checkVariableName(name: string, field: string): readonly Cause[] {
  // The shell that starts the program counts its own options with it; a value of the user's would break the start.
  if (name === 'OPTIND') return [forbiddenField(field, 'the shell that starts the program needs this variable for itself')]
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return []
  return [invalidField(field, name, 'must be the name of a variable: letters, digits and _, not beginning with a digit')]
}

function checkLimits({ rlimits = {}, ioPriority, cpuAffinity }: ProcessTemplate, at: string): readonly Cause[] {
  const causes: Cause[] = []
  for (const [name, limit] of Object.entries(rlimits)) {
    if (typeof limit !== 'object') continue
    const field = `${at}.rlimits[${name}]`
    if (limit.soft === undefined && limit.hard === undefined) causes.push(requiredField(field, 'soft, hard or both'))
    else if (limit.soft !== undefined && limit.hard !== undefined && sizeOf(limit.soft) > sizeOf(limit.hard)) {
      causes.push(invalidField(`${field}.soft`, limit.soft, `must not be more than hard, which is ${limit.hard}`))
    }
  }
  if (ioPriority?.class === 'Idle' && ioPriority.level !== undefined) {
    causes.push(forbiddenField(`${at}.ioPriority.level`, 'class Idle has no levels'))
  }
  for (const range of cpuAffinity?.split(',') ?? []) {
    const [first = '', last = first] = range.split('-')
    if (Number(first) > Number(last))
      causes.push(invalidField(`${at}.cpuAffinity`, cpuAffinity, `the range ${range} ends before it begins`))
  }
  return causes
}

const LEAST_CPU = 0.01
const LEAST_MEMORY = 1024 * 1024

function checkResources({ resources }: ProcessTemplate, at: string): readonly Cause[] {
  const { cpu, memory } = resources?.limits ?? {}
  const causes: Cause[] = []
  if (cpu !== undefined && !((parseQuantity(cpu) ?? 0) >= LEAST_CPU)) {
    causes.push(invalidField(`${at}.cpu`, cpu, 'must be at least 10m, a hundredth of a core: the kernel takes no less'))
  }
  const bytes = parseQuantity(memory ?? LEAST_MEMORY) ?? 0
  if (memory !== undefined && !(bytes >= LEAST_MEMORY && bytes <= Number.MAX_SAFE_INTEGER)) {
    const meant = /^([0-9]+)m$/.exec(memory)?.[1]
    const hint = meant === undefined ? 'no program starts with less' : `m is a thousandth; did you mean ${meant}Mi?`
    causes.push(invalidField(`${at}.memory`, memory, `must be between 1Mi and 8Pi: ${hint}`))
  }
  return causes
}

function sizeOf(limit: number | 'unlimited'): number {
  return limit === 'unlimited' ? Number.POSITIVE_INFINITY : limit
}

function checkDependencies({ dependsOn = [] }: ProcessTemplate, at: string, name: string): readonly Cause[] {
  return dependsOn.flatMap((dependency, index) => {
    const field = `${at}.dependsOn[${index}].name`
    const verdict = checkDnsSubdomain(dependency.name, 63)
    if (verdict !== undefined) return [invalidField(field, dependency.name, verdict)]
    return dependency.name === name ? [invalidField(field, name, 'it can never wait for itself')] : []
  })
}

function checkProbes(template: ProcessTemplate, at: string): readonly Cause[] {
  return (['startupProbe', 'readinessProbe', 'livenessProbe'] as const).flatMap((kind) => {
    const probe: Probe | undefined = template[kind]
    if (probe === undefined) return []
    const field = `${at}.${kind}`
    const causes = [...exactlyOne(probe, ['exec', 'httpGet', 'tcpSocket'], field), ...checkExec(probe.exec, `${field}.exec`)]
    if (kind !== 'readinessProbe' && probe.successThreshold !== 1) {
      causes.push(invalidField(`${field}.successThreshold`, probe.successThreshold, 'must be 1 for this probe'))
    }
    return causes
  })
}

/** Hooks, stop steps, reload and actions: all that is run beside the program itself. */
function checkCommands({ lifecycle = {}, stopSteps = [], reload, actions = [] }: ProcessTemplate, at: string): readonly Cause[] {
  const causes: Cause[] = []
  for (const stage of ['preStart', 'postStart', 'preStop', 'postStop'] as const) {
    for (const [index, hook] of (lifecycle[stage] ?? []).entries()) {
      causes.push(...checkExec(hook.exec, `${at}.lifecycle.${stage}[${index}].exec`))
    }
  }
  const signalOrExec = (step: { readonly signal?: string; readonly exec?: ExecAction }, field: string): void => {
    causes.push(...exactlyOne(step, ['signal', 'exec'], field), ...checkExec(step.exec, `${field}.exec`))
  }
  for (const [index, step] of stopSteps.entries()) signalOrExec(step, `${at}.stopSteps[${index}]`)
  for (const [index, action] of actions.entries()) signalOrExec(action, `${at}.actions[${index}]`)
  if (reload !== undefined) signalOrExec(reload, `${at}.reload`)
  return causes
}

function checkExitCodes({ successExitCodes }: ProcessTemplate, at: string): readonly Cause[] {
  return successExitCodes.flatMap((code, index) => {
    const isKnown = typeof code === 'number' ? code >= 0 && code <= 255 : signalNumberOf(code) !== undefined
    const field = `${at}.successExitCodes[${index}]`
    return isKnown ? [] : [invalidField(field, code, 'must be an exit code from 0 to 255 or the name of a signal such as TERM')]
  })
}

function checkExec(exec: ExecAction | undefined, field: string): readonly Cause[] {
  if (exec === undefined) return []
  const empty = exec.command[0] === '' ? [invalidField(`${field}.command[0]`, '', 'must name a program')] : []
  return [...empty, ...checkWords(exec.command, `${field}.command`)]
}

function exactlyOne<T extends object>(value: T, names: readonly (keyof T & string)[], field: string): readonly Cause[] {
  const [first, ...more] = names.filter((name) => value[name] !== undefined)
  if (first === undefined) return [requiredField(field, `exactly one of ${names.join(', ')}`)]
  return more.map((name) => forbiddenField(`${field}.${name}`, `${first} is set too; exactly one of ${names.join(', ')} is allowed`))
}

function checkWords(words: readonly string[], field: string): readonly Cause[] {
  return words.flatMap((word, index) => checkWord(word, `${field}[${index}]`))
}

function checkWord(word: string, field: string): readonly Cause[] {
  if (word.includes('\0')) return [forbiddenField(field, 'a NUL byte can be part of no argument and no variable')]
  if (word.length * 3 > LONGEST_WORD && Buffer.byteLength(word) > LONGEST_WORD) {
    return [tooLongField(field, `the kernel takes no word of more than ${LONGEST_WORD} bytes`)]
  }
  return []
}

/** Bytes of one argument or variable of a new program, without the NUL that ends it: Linux' MAX_ARG_STRLEN. */
const LONGEST_WORD = 131_071
