import { age } from '../base/age.ts'
import { epochOf, type Timestamp, wholeSeconds } from '../base/clock.ts'
import type { Termination } from '../generated/types.ts'
import { sourceOfManager, sourceWord } from './source-words.ts'
import { formatTable, printable } from './table.ts'
import type { Explanation, InstanceStory, Order, Rollout } from './why-explain.ts'
import type { Keeper } from './why-source.ts'
import { actorText, causeText, startAdvice } from './why-words.ts'

/** So many of the last lines of output are shown. */
const TAIL_LINES = 10
/** So many of the last changes of all Instances together are shown. */
const SHOWN_CHANGES = 15

/** Ends that somebody or a roll asked for, or that were good: nothing to look for in the output. */
const PLAIN_ENDS: ReadonlySet<string> = new Set(['Completed', 'Stopped', 'Restarted', 'RolledOut'])

/** An explanation in plain words. Pure. */
export function whyText(explanation: Explanation, now: Timestamp): string {
  const { kind, name, namespace, process, reason, message, since, source, orders, rollout, instances } = explanation
  const kept = source === undefined ? [] : keeperLines(source, namespace, now)
  const asked = [
    ...orders.map((order) => orderText(order, process, now)),
    ...kept,
    ...(rollout === undefined ? [] : [rolloutText(rollout)]),
  ]
  const parts: (readonly string[])[] = []
  if (kind === 'Process') {
    parts.push([headText(`Process ${name}`, reason, since, message, now), ...asked])
    if (instances.length === 0) parts.push(['It has no Instances yet.'])
    for (const story of instances)
      parts.push([headText(story.name, story.reason, story.since, story.message, now), ...storyLines(story, process, now)])
  } else {
    const [story] = instances
    parts.push([
      headText(`Instance ${name}`, reason, since, message, now),
      ...asked,
      ...(story === undefined ? [] : storyLines(story, process, now)),
    ])
  }
  const text = parts.map((lines) => `${lines.map(onOneLine).join('\n')}\n`).join('\n')
  const changes = changesTable(instances, now)
  return changes === '' ? text : `${text}\nWhat happened, newest last:\n${changes}`
}

function orderText({ order, manager, time, until }: Order, process: string, now: Timestamp): string {
  const by = manager === undefined ? '' : ` by ${actorText(manager)}`
  const when = time === undefined ? '' : `, ${ago(time, now)} ago`
  switch (order) {
    case 'stop':
      return `It is to be stopped: desiredState Stopped was written${by}${when}. To start it${sourceOfManager(manager ?? '') === undefined ? `: pmk start ${process}` : ', change its manifest'}`
    case 'suspend': {
      const end = until === undefined ? '' : ` until ${until} (in ${ahead(until, now)})`
      return `It is suspended${end}${by}${when}: nothing is started, stopped or restarted. To end that: pmk resume ${process}`
    }
    case 'restart':
      return `A restart was asked for${by}${when}.`
    case 'pause':
      return `Its rollout is paused${by}${when}. To let it go on: pmk rollout resume ${process}`
    case 'rollout':
      return `The change that is being rolled out was written${by}${when}.`
    case 'delete':
      return `Its deletion was asked for${when}.`
  }
}

/** What is put back is told together with how to keep it otherwise: who ran `pmk stop` wants to know why it didn't last. */
function keeperLines(keeper: Keeper, inNamespace: string, now: Timestamp): readonly string[] {
  const { namespace, name, state, message, restored } = keeper
  const called = `ManifestSource ${namespace}/${name}`
  const word = sourceWord(keeper, inNamespace)
  const lines = [`${keptText(called, state, message)}. More about that: pmk describe ${word}`]
  if (restored === undefined) return lines
  const remedy =
    state === 'ready' || state === 'notReady'
      ? `. Its manifest names what was put back: change it there, or have the source leave it alone: pmk suspend ${word}`
      : ''
  return [`${restored.message.replace(/\.$/, '')}, ${ago(restored.time, now)} ago${remedy}`, ...lines]
}

function keptText(called: string, state: Keeper['state'], message: string | undefined): string {
  switch (state) {
    case 'suspended':
      return `It was applied by ${called}, which is suspended and puts nothing back`
    case 'missing':
      return `It was applied by ${called}, which is not there any more`
    case 'notReady':
      return `It is kept as its manifest says by ${called}, which is not Ready${message === undefined ? '' : `: ${message.replace(/\.$/, '')}`}`
    default:
      return `It is kept as its manifest says by ${called}`
  }
}

function rolloutText({ from, to, revision, changeCause, underWay, message }: Rollout): string {
  const number = revision === undefined ? '' : ` (number ${revision})`
  const why = changeCause === undefined ? '' : `, because: ${changeCause}`
  if (!underWay) return `A rollout to revision ${to}${number} started what runs now${why}.`
  return `A rollout ${from === undefined ? '' : `from revision ${from} `}to revision ${to}${number} is under way${why}${message === undefined ? '' : `: ${message}`}.`
}

function headText(what: string, reason: string, since: Timestamp | undefined, message: string | undefined, now: Timestamp): string {
  return `${what} is ${reason}${since === undefined ? '' : ` since ${ago(since, now)}`}${message === undefined ? '' : `: ${message}`}.`
}

function storyLines(story: InstanceStory, process: string, now: Timestamp): readonly string[] {
  const lines = [...stateLines(story, process, now), ...endLines(story, now)]
  if (story.restartCount > 0) lines.push(`It was restarted ${times(story.restartCount)} without being asked to.`)
  return lines.map((line) => `  ${line}`)
}

/** What the state means, and what can be done about it. */
function stateLines(story: InstanceStory, process: string, now: Timestamp): string[] {
  const lines = startLines(story, now)
  const next =
    story.nextStartAt === undefined
      ? []
      : [`The next start is in ${ahead(story.nextStartAt, now)}, at ${story.nextStartAt}. To start it now: pmk start ${process}`]
  switch (story.reason) {
    case 'CrashLoopBackOff':
      return [...lines, 'A backoff holds it back, because it has ended too soon too often.', ...next]
    case 'StartError':
      return [...lines, startAdvice(story.startError ?? '', process), ...next]
    case 'GaveUp':
      return [...lines, `restartLimit is reached. To try again: pmk start ${process}`, ...next]
    case 'Blocked':
      return [...lines, 'It starts by itself once they are. What holds them up: pmk why on each of them.']
    case 'Failed':
    case 'Succeeded':
      return [
        ...lines,
        `It is not started again, because restartPolicy is ${story.restartPolicy}. To run it once more: pmk start ${process}`,
      ]
    case 'Unknown':
      return [...lines, `The agent of node ${story.node} does not answer.`]
    case 'Pending':
      return story.transitions.length === 0 ? [...lines, `The agent of node ${story.node} has yet to take note of it.`] : lines
    default:
      return [...lines, ...next]
  }
}

function startLines({ pid, startedAt, start }: InstanceStory, now: Timestamp): string[] {
  if (pid === undefined || startedAt === undefined) return []
  const life = `Its program (pid ${pid}) was started ${ago(startedAt, now)} ago`
  if (start === undefined) return [`${life}.`]
  const by = start.actor === undefined ? '' : ` by ${actorText(start.actor)}`
  const why = start.message === undefined ? '' : `: ${start.message}`
  return [`${life}, because of ${causeText(start.cause)}${by}${why}.`]
}

function endLines({ lastTermination, pid }: InstanceStory, now: Timestamp): string[] {
  if (lastTermination === undefined) return []
  const { finishedAt, tail, reason } = lastTermination
  const what = reason === 'StartError' ? 'The last start failed' : pid === undefined ? 'It ended' : 'The run before ended'
  const lines = [`${what} ${ago(finishedAt, now)} ago${howText(lastTermination)}.`]
  if (tail === undefined || PLAIN_ENDS.has(reason)) return lines
  return [
    ...lines,
    'The end of its output:',
    ...tail
      .trimEnd()
      .split('\n')
      .slice(-TAIL_LINES)
      .map((line) => `  ${line}`),
  ]
}

function howText({ signal, exitCode, message }: Termination): string {
  if (message !== undefined) return `: ${message}`
  if (signal !== undefined) return ` by signal ${signal}`
  return exitCode === undefined ? '' : ` with exit code ${exitCode}`
}

function changesTable(instances: readonly InstanceStory[], now: Timestamp): string {
  const changes = instances
    .flatMap(({ name, transitions }) => transitions.map((transition) => ({ name, ...transition })))
    .sort((a, b) => epochOf(a.time) - epochOf(b.time))
    .slice(-SHOWN_CHANGES)
  if (changes.length === 0) return ''
  const rows = changes.map(({ name, time, phase, cause, message, actor }) => [
    wholeSeconds(time),
    ago(time, now),
    name,
    phase,
    cause,
    actor === undefined ? '-' : actorText(actor),
    message ?? '',
  ])
  return formatTable(['Time', 'Age', 'Instance', 'Became', 'Cause', 'By', 'Message'], rows, { headers: true })
}

function ago(time: Timestamp, now: Timestamp): string {
  return age(time, now)
}

function ahead(time: Timestamp, now: Timestamp): string {
  return age(now, time)
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`
}

/** One sentence is one line, whatever it quotes; a message that ends with a full stop needs no second one. */
function onOneLine(line: string): string {
  return printable(line).replace(/([.!?])\.$/, '$1')
}
