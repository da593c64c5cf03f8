import { BoundedMap } from '../base/bounded-map.ts'
import { isJsonObject, type JsonObject } from '../base/json.ts'
import { compareElements, isForeignElement, type PathElement, parseElement } from './field-path.ts'

/**
 * A set of field paths, as a tree. A node may be a member itself, beside what is below it. Never altered; operations give back
 * an argument when the result equals it, so that `===` tells cheaply whether something changed.
 */
export interface FieldSet {
  readonly member: boolean
  readonly children: ReadonlyMap<PathElement, FieldSet>
}

export const EMPTY_SET: FieldSet = { member: false, children: new Map() }
/** Just the node itself. */
export const LEAF_SET: FieldSet = { member: true, children: new Map() }

export function isEmptySet(set: FieldSet): boolean {
  return !set.member && set.children.size === 0
}

/** A node with these children; empty ones are left out. */
export function fieldSet(member: boolean, children: Iterable<readonly [PathElement, FieldSet]>): FieldSet {
  const kept = new Map<PathElement, FieldSet>()
  for (const [element, child] of children) if (!isEmptySet(child)) kept.set(element, child)
  if (kept.size === 0) return member ? LEAF_SET : EMPTY_SET
  return { member, children: kept }
}

/** Some dozens for each kind and way to write it. */
const canonical = new BoundedMap<string, FieldSet>(2_048)
const numbers = new WeakMap<FieldSet, number>()
let lastNumber = 0
/** The key of an owner reference, which is hardly ever the same in two objects. */
const OF_ONE_OBJECT = 'k:{"uid":'

/**
 * The same set for all equal ones whose steps come in the same order, as far as remembered: what is made of it once, such as
 * its text, serves for thousands of objects of the same sort. A set that belongs to one object is given back as it is.
 */
export function canonicalSet(set: FieldSet): FieldSet {
  if (set.children.size === 0) return set.member ? LEAF_SET : EMPTY_SET
  if (numbers.has(set)) return set
  let key = set.member ? '.' : ''
  const children = new Map<PathElement, FieldSet>()
  for (const [element, child] of set.children) {
    if (element.startsWith(OF_ONE_OBJECT)) return set
    const same = canonicalSet(child)
    const number = same === LEAF_SET ? 0 : numbers.get(same)
    if (number === undefined) return set
    children.set(element, same)
    // A step has no line break in front of a number: the number's end is the next step's start.
    key += `\n${element}\n${number}`
  }
  const known = canonical.get(key)
  if (known !== undefined) return known
  const made: FieldSet = { member: set.member, children }
  lastNumber += 1
  numbers.set(made, lastNumber)
  canonical.set(key, made)
  return made
}

/** Whether the set is one that canonicalSet made: there are few of them, and many objects have them. */
export function isCanonical(set: FieldSet): boolean {
  return numbers.has(set)
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b || isEmptySet(b)) return a
  if (isEmptySet(a)) return b
  let children: Map<PathElement, FieldSet> | undefined
  for (const [element, child] of b.children) {
    const present = a.children.get(element)
    const next = present === undefined ? child : union(present, child)
    if (next === present) continue
    children ??= new Map(a.children)
    children.set(element, next)
  }
  const member = a.member || b.member
  return children === undefined && member === a.member ? a : { member, children: children ?? a.children }
}

/** Members of `a` that aren't members of `b`. What is below a member of `b` stays. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  let children: Map<PathElement, FieldSet> | undefined
  for (const [element, gone] of b.children) {
    const present = a.children.get(element)
    if (present === undefined) continue
    const next = difference(present, gone)
    if (next === present) continue
    children ??= new Map(a.children)
    if (isEmptySet(next)) children.delete(element)
    else children.set(element, next)
  }
  const member = a.member && !b.member
  if (children === undefined && member === a.member) return a
  return fieldSet(member, children ?? a.children)
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const children: [PathElement, FieldSet][] = []
  for (const [element, child] of a.children) {
    const other = b.children.get(element)
    if (other !== undefined) children.push([element, intersection(child, other)])
  }
  return fieldSet(a.member && b.member, children)
}

export function equalSets(a: FieldSet, b: FieldSet): boolean {
  if (a === b) return true
  if (a.member !== b.member || a.children.size !== b.children.size) return false
  for (const [element, child] of a.children) {
    const other = b.children.get(element)
    if (other === undefined || !equalSets(child, other)) return false
  }
  return true
}

/** The paths of all members, in the order in which Kubernetes names them: of each node first its own members, then what is below, both sorted. */
export function pathsOf(set: FieldSet): readonly (readonly PathElement[])[] {
  const paths: (readonly PathElement[])[] = set.member ? [[]] : []
  const visit = (node: FieldSet, path: readonly PathElement[]): void => {
    const children = [...node.children].sort(([a], [b]) => compareElements(a, b))
    for (const [element, child] of children) if (child.member) paths.push([...path, element])
    for (const [element, child] of children) visit(child, [...path, element])
  }
  visit(set, [])
  return paths
}

const NOTHING_BELOW: JsonObject = Object.freeze({})

/** FieldsV1: nested keys, sorted; `.` says that a node is a member beside what is below it. */
export function toFieldsV1(set: FieldSet): JsonObject {
  if (set.children.size === 0) return NOTHING_BELOW
  const fields: [string, JsonObject][] = set.member ? [['.', NOTHING_BELOW]] : []
  for (const element of [...set.children.keys()].sort(compareElements))
    fields.push([element, toFieldsV1(set.children.get(element) ?? EMPTY_SET)])
  return Object.fromEntries(fields)
}

/** No object of ours is nearly as deep; what is deeper was made to exhaust the stack. */
const MAX_DEPTH = 100

/** The set that FieldsV1 stands for; undefined when it is malformed. The root is never a member. */
export function fromFieldsV1(fields: unknown): FieldSet | undefined {
  const root = parseNode(fields, 0)
  return root === undefined ? undefined : fieldSet(isJsonObject(fields) && Object.hasOwn(fields, '.'), root.children)
}

function parseNode(fields: unknown, depth: number): FieldSet | undefined {
  if (!isJsonObject(fields) || depth > MAX_DEPTH) return undefined
  const keys = Object.keys(fields)
  if (keys.length === 0) return LEAF_SET
  const children = new Map<PathElement, FieldSet>()
  let member = false
  for (const key of keys) {
    if (key === '.') {
      member = true
      continue
    }
    if (isForeignElement(key)) continue
    const element = parseElement(key)
    const child = parseNode(fields[key], depth + 1)
    if (element === undefined || child === undefined) return undefined
    children.set(element, child)
  }
  return fieldSet(member, children)
}
