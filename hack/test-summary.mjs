// A reporter for `node --test`, beside another one: says at the end what failed, and what was skipped and why, so that nobody has to look for it.
// Plain JavaScript, since Node loads reporters before it knows of TypeScript.

const TITLES_SHOWN = 3

/** @param {AsyncIterable<import('node:test/reporters').TestEvent>} events */
export default async function* summary(events) {
  /** @type {string[]} */
  const failed = []
  /** @type {Map<string, string[]>} */
  const skipped = new Map()
  /** @type {string[]} */
  const outer = []
  for await (const { type, data } of events) {
    if (type === 'test:start') outer[data.nesting] = data.name
    if (type !== 'test:pass' && type !== 'test:fail') continue
    const title = [...outer.slice(0, data.nesting), data.name].join(' › ')
    if (type === 'test:pass' && data.skip !== undefined) {
      const reason = typeof data.skip === 'string' && data.skip !== '' ? data.skip : 'no reason given'
      skipped.set(reason, [...(skipped.get(reason) ?? []), title])
    }
    // What failed because something in it did is told by that.
    if (type === 'test:fail' && data.details.error?.failureType !== 'subtestsFailed') failed.push(title)
  }
  if (skipped.size > 0) yield '== Skipped, and why\n'
  for (const [reason, titles] of skipped) {
    yield `${reason}\n${titles
      .slice(0, TITLES_SHOWN)
      .map((title) => `    ${title}\n`)
      .join('')}`
    if (titles.length > TITLES_SHOWN) yield `    and ${titles.length - TITLES_SHOWN} more\n`
  }
  if (failed.length > 0) yield `== Failed\n${failed.map((title) => `    ${title}\n`).join('')}`
}
