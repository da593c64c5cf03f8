import type { JsonSchema } from './scheme.ts'

/** How deep below a misplaced field its right place is looked for. */
const DEPTH = 4

/**
 * The field that was probably meant by an unknown one: a sibling spelt nearly so, else a field of just that name further
 * down or elsewhere in the object. `parent` is the path of the object it was found in.
 */
export function suggestField(root: JsonSchema, siblings: JsonSchema, parent: string, name: string): string | undefined {
  const near = nearest(Object.keys(siblings.properties ?? {}), name)
  if (near !== undefined) return join(parent, near)
  return find(siblings, parent, name) ?? find(root, '', name)
}

function join(parent: string, name: string): string {
  return parent === '' ? name : `${parent}.${name}`
}

/** The candidate spelt nearly as `name` is: one slip for each three letters. */
export function nearest(candidates: readonly string[], name: string): string | undefined {
  const wanted = name.toLowerCase()
  // One slip for each three letters: enough for typing errors, too little to turn one word into another.
  let allowed = Math.max(1, Math.floor(wanted.length / 3))
  let best: string | undefined
  for (const candidate of candidates) {
    // Each letter too many is a slip, so this spares the comparison with a word of a million letters.
    if (Math.abs(candidate.length - wanted.length) > allowed) continue
    const distance = editDistance(wanted, candidate.toLowerCase())
    if (distance > allowed || (distance === allowed && best !== undefined)) continue
    best = candidate
    allowed = distance
  }
  return best
}

/** Breadth first, so that the shallowest place wins. Metadata and status are not where people put what they want. */
function find(schema: JsonSchema, path: string, name: string): string | undefined {
  let level: readonly { readonly schema: JsonSchema; readonly path: string }[] = [{ schema, path }]
  for (let depth = 0; depth < DEPTH && level.length > 0; depth++) {
    for (const { schema, path } of level) {
      if (schema.properties !== undefined && Object.hasOwn(schema.properties, name)) return join(path, name)
    }
    level = level.flatMap(({ schema, path }) =>
      Object.entries(schema.properties ?? {})
        .filter(([key]) => path !== '' || (key !== 'metadata' && key !== 'status'))
        .map(([key, property]) => ({ schema: property, path: join(path, key) })),
    )
  }
  return undefined
}

/** Letters to insert, remove, replace or swap with a neighbour to make one word of the other. */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let cost = Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, (beforePrevious[j - 2] ?? 0) + 1)
      row.push(cost)
    }
    beforePrevious = previous
    previous = row
  }
  return previous[b.length] ?? 0
}
