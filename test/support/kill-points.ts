// Loaded by fixtures only: it changes the file functions of the process that it is loaded in.
import childProcess from 'node:child_process'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'
import { basename } from 'node:path'
import nodeProcess from 'node:process'

type AnyFunction = (...args: unknown[]) => unknown

/** What the process has done since `watchSteps`, in order, by names that are the same in each process that does the same. */
const steps: string[] = []
let isWatching = false
let fatal: string | undefined
/** One step may be made of others: only the outermost counts. */
let depth = 0

/**
 * From here on each call that changes a file, starts a process or writes to a pipe is a step, whoever makes it: the calls are the real
 * ones. At the moment named `kill` the process dies of SIGKILL: `before STEP`, or `after STEP` for one that is over when the call is.
 */
export function watchSteps(kill: string | undefined): void {
  fatal = kill
  isWatching = true
}

export function stepsSoFar(): readonly string[] {
  return steps
}

function die(): void {
  // The signal is taken before this thread comes back from the call.
  nodeProcess.kill(nodeProcess.pid, 'SIGKILL')
}

function begin(label: string): string {
  const name = label.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '*').replaceAll(/(?<= )\d+(?=\/)/g, '*')
  const count = steps.filter((each) => each === name || each.startsWith(`${name} #`)).length
  const numbered = count === 0 ? name : `${name} #${count + 1}`
  steps.push(numbered)
  if (fatal === `before ${numbered}`) die()
  return numbered
}

function place(path: unknown): string {
  const text = typeof path === 'number' ? fs.readlinkSync(`/proc/self/fd/${path}`) : String(path)
  return text.split('/').slice(-2).join('/')
}

function creates(path: unknown, flags: unknown): boolean {
  const size = fs.statSync(String(path), { throwIfNoEntry: false })?.size
  if (typeof flags !== 'string') return size === undefined && (Number(flags) & fs.constants.O_CREAT) !== 0
  return (flags.startsWith('w') && size !== 0) || (flags.startsWith('a') && size === undefined)
}

/** `label` gives nothing for a call that changes nothing. */
function patch(owner: object, name: string, label: (...args: unknown[]) => string | undefined): void {
  const methods = owner as Record<string, AnyFunction>
  const original = methods[name]
  if (original === undefined) throw new Error(`There is no ${name}`)
  methods[name] = function (this: unknown, ...args: unknown[]) {
    const text = isWatching && depth === 0 ? label(...args) : undefined
    const step = text === undefined ? undefined : begin(text)
    depth += 1
    try {
      return original.apply(this, args)
    } finally {
      depth -= 1
      if (step !== undefined && fatal === `after ${step}`) die()
    }
  }
}

for (const name of ['writeSync', 'writeFileSync', 'appendFileSync', 'write']) patch(fs, name, (path) => `write ${place(path)}`)
for (const name of ['truncateSync', 'ftruncateSync']) patch(fs, name, (path) => `truncate ${place(path)}`)
for (const name of ['unlinkSync', 'rmSync']) patch(fs, name, (path) => (fs.existsSync(String(path)) ? `delete ${place(path)}` : undefined))
for (const name of ['openSync', 'open']) patch(fs, name, (path, flags) => (creates(path, flags) ? `create ${place(path)}` : undefined))
for (const owner of [fs.promises, fs]) {
  const suffix = owner === fs ? 'Sync' : ''
  patch(owner, `rename${suffix}`, (from, to) => `rename ${place(from)} ${place(to)}`)
  patch(owner, `symlink${suffix}`, (_target, path) => `link ${place(path)}`)
  patch(owner, `mkdir${suffix}`, (path) => (fs.existsSync(String(path)) ? undefined : `make ${place(path)}`))
  patch(owner, `chown${suffix}`, (path) => `give away ${place(path)}`)
}
for (const name of ['writeFile', 'appendFile']) patch(fs.promises, name, (path) => `write ${place(path)}`)
for (const name of ['rm', 'rmdir', 'unlink']) patch(fs.promises, name, (path) => `delete ${place(path)}`)
patch(childProcess, 'spawn', (command, args) => {
  const word = (args as readonly string[]).find((each) => /^\/.*\/(fallocate|pmk-launcher)$/.test(each))
  return `spawn ${basename(String(command))}${word === undefined ? '' : ` ${basename(word)}`}`
})
patch(net.Socket.prototype, 'write', () => 'write a pipe')
syncBuiltinESMExports()
