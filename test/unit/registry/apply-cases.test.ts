import { describe } from 'node:test'
import { integer, keyed, runCases, setOf, struct, text } from './apply-cases.ts'

/*
 * The situations in which server-side apply is known to be got wrong, by the names under which Kubernetes tests them. What is
 * expected is what Kubernetes does, but for one thing: an item in which somebody else owns something is never removed.
 */

describe('sets (UpdateSet, MultipleAppliersSet)', () => {
  runCases([
    {
      title: 'an item that the only applier drops goes, and the others keep their order',
      steps: [
        ['apply', 'a', { set: ['a', 'b', 'c'] }],
        ['apply', 'a', { set: ['a', 'c'] }],
      ],
      object: { set: ['a', 'c'] },
      owners: { 'a/Apply': '.set[="a"] .set[="c"]' },
    },
    {
      title: 'the order is that of the last configuration',
      steps: [
        ['apply', 'a', { set: ['a', 'b', 'c', 'd'] }],
        ['apply', 'a', { set: ['a', 'c', 'b', 'd'] }],
      ],
      object: { set: ['a', 'c', 'b', 'd'] },
    },
    {
      title: 'items of two appliers are united, each its own',
      steps: [
        ['apply', 'a', { set: ['a', 'c'] }],
        ['apply', 'b', { set: ['b', 'd'] }],
      ],
      object: { set: ['a', 'c', 'b', 'd'] },
      owners: { 'a/Apply': '.set[="a"] .set[="c"]', 'b/Apply': '.set[="b"] .set[="d"]' },
    },
    {
      title: 'an item of two appliers stays until both have dropped it',
      steps: [
        ['apply', 'a', { set: ['x', 'y'] }],
        ['apply', 'b', { set: ['y', 'z'] }],
        ['apply', 'a', { set: ['x'] }],
      ],
      object: { set: ['x', 'y', 'z'] },
      owners: { 'a/Apply': '.set[="x"]', 'b/Apply': '.set[="y"] .set[="z"]' },
    },
    {
      title: 'what an update has added stays when the applier drops all of its own',
      steps: [
        ['apply', 'a', { set: ['a'] }],
        ['update', 'u', { set: ['a', 'b'] }],
        ['apply', 'a', {}],
      ],
      object: { set: ['b'] },
      owners: { 'u/Update': '.set[="b"]' },
    },
    {
      title: 'an update that removes an item ends its ownership, and the next apply brings it back',
      steps: [
        ['apply', 'a', { set: ['a', 'b'] }],
        ['update', 'u', { set: ['a'] }],
        ['apply', 'a', { set: ['a', 'b'] }],
      ],
      object: { set: ['a', 'b'] },
      owners: { 'a/Apply': '.set[="a"] .set[="b"]' },
    },
    {
      title: 'numbers are items too, and are not texts',
      steps: [
        ['apply', 'a', { numbers: [1, 10, 9] }],
        ['apply', 'b', { numbers: [9, 2] }],
      ],
      object: { numbers: [1, 10, 9, 2] },
      owners: { 'a/Apply': '.numbers[=1] .numbers[=9] .numbers[=10]', 'b/Apply': '.numbers[=2] .numbers[=9]' },
    },
  ])
})

describe('leaves (UpdateLeaf)', () => {
  runCases([
    {
      title: 'an applier may change and drop what it owns alone',
      steps: [
        ['apply', 'a', { text: '1', number: 1, flag: false }],
        ['apply', 'a', { text: '2', flag: true }],
      ],
      object: { text: '2', flag: true },
      owners: { 'a/Apply': '.flag .text' },
    },
    {
      title: 'what an update has changed is a conflict, and a value that it has set itself is not',
      steps: [
        ['apply', 'a', { text: '1', number: 1 }],
        ['update', 'u', { text: 'u', number: 1 }],
        ['conflict', 'a', { text: '2', number: 2 }, 'u: .text'],
        ['apply', 'a', { text: 'u', number: 2 }],
      ],
      object: { text: 'u', number: 2 },
      owners: { 'a/Apply': '.number .text', 'u/Update': '.text' },
    },
    {
      title: 'a field that is dropped and that an update has taken over stays',
      steps: [
        ['apply', 'a', { text: '1', number: 1 }],
        ['update', 'u', { number: 2 }],
        ['apply', 'a', { text: '1' }],
      ],
      object: { text: '1', number: 2 },
      owners: { 'a/Apply': '.text', 'u/Update': '.number' },
    },
    {
      title: 'force takes all at once',
      steps: [
        ['update', 'u', { text: 'u', number: 1, flag: true }],
        ['force', 'a', { text: 'a', number: 2 }],
      ],
      object: { text: 'a', number: 2, flag: true },
      owners: { 'a/Apply': '.number .text', 'u/Update': '.flag' },
    },
    {
      title: 'an atomic list is one value',
      steps: [
        ['apply', 'a', { atomicList: ['a', 'b'] }],
        ['conflict', 'b', { atomicList: ['b', 'a'] }, 'a: .atomicList'],
        ['apply', 'b', { atomicList: ['a', 'b'] }],
        ['apply', 'a', {}],
      ],
      object: { atomicList: ['a', 'b'] },
      owners: { 'b/Apply': '.atomicList' },
    },
    {
      title: 'null of a value that somebody else owns is a conflict like any other value',
      steps: [
        ['apply', 'a', { text: '1', atomicMap: { x: '1' } }],
        ['conflict', 'b', { text: null, atomicMap: null }, 'a: .atomicMap', 'a: .text'],
        ['force', 'b', { text: null }],
      ],
      object: { atomicMap: { x: '1' } },
      owners: { 'a/Apply': '.atomicMap', 'b/Apply': '.text' },
    },
  ])
})

describe('lists with keys (UpdateAssociativeLists, MultipleAppliersSet)', () => {
  runCases([
    {
      title: 'an item that is renamed is another one',
      steps: [
        ['apply', 'a', { list: [{ name: 'a', value: 1 }] }],
        ['apply', 'a', { list: [{ name: 'b', value: 2 }] }],
      ],
      object: { list: [{ name: 'b', value: 2 }] },
      owners: { 'a/Apply': '.list[name="b"] .list[name="b"].name .list[name="b"].value' },
    },
    {
      title: 'two may own one item with the same value, and not with another',
      steps: [
        ['apply', 'a', { list: [{ name: 'a', value: 0 }] }],
        ['apply', 'b', { list: [{ name: 'a', value: 0 }] }],
        ['conflict', 'b', { list: [{ name: 'a', value: 1 }] }, 'a: .list[name="a"].value'],
      ],
      owners: {
        'a/Apply': '.list[name="a"] .list[name="a"].name .list[name="a"].value',
        'b/Apply': '.list[name="a"] .list[name="a"].name .list[name="a"].value',
      },
    },
    {
      title: 'of an item of two each takes its own fields away',
      steps: [
        ['apply', 'a', { list: [{ name: 'a', value: 1 }, { name: 'b' }] }],
        ['apply', 'b', { list: [{ name: 'a', other: 2 }] }],
        ['apply', 'a', { list: [{ name: 'b' }] }],
      ],
      object: { list: [{ name: 'a', other: 2 }, { name: 'b' }] },
      owners: {
        'a/Apply': '.list[name="b"] .list[name="b"].name',
        'b/Apply': '.list[name="a"] .list[name="a"].name .list[name="a"].other',
      },
    },
    {
      title: 'an item in which an update has set a field stays, with its key and that field',
      steps: [
        ['apply', 'a', { list: [{ name: 'a', value: 1 }, { name: 'b' }] }],
        ['update', 'u', { list: [{ name: 'a', value: 1, other: 7 }, { name: 'b' }] }],
        ['apply', 'a', { list: [{ name: 'b' }] }],
      ],
      object: { list: [{ name: 'a', other: 7 }, { name: 'b' }] },
      owners: { 'a/Apply': '.list[name="b"] .list[name="b"].name', 'u/Update': '.list[name="a"].other' },
    },
  ])
})

describe('nested types (UpdateNestedType, MultipleAppliersNestedType)', () => {
  runCases([
    {
      title: 'a value in a set in an item',
      steps: [
        ['apply', 'a', { listOfSets: [{ name: 'a', value: ['b', 'c'] }] }],
        ['apply', 'a', { listOfSets: [{ name: 'a', value: ['a', 'c'] }] }],
      ],
      object: { listOfSets: [{ name: 'a', value: ['a', 'c'] }] },
      owners: {
        'a/Apply': '.listOfSets[name="a"] .listOfSets[name="a"].name .listOfSets[name="a"].value[="a"] .listOfSets[name="a"].value[="c"]',
      },
    },
    {
      title: 'an item with a set, replaced by another item',
      steps: [
        ['apply', 'a', { listOfSets: [{ name: 'a', value: ['b', 'c'] }] }],
        ['apply', 'a', { listOfSets: [{ name: 'b', value: ['a'] }] }],
      ],
      object: { listOfSets: [{ name: 'b', value: ['a'] }] },
    },
    {
      title: 'a key of a map in an item',
      steps: [
        ['apply', 'a', { listOfMaps: [{ name: 'a', value: { b: 'x', c: 'y' } }] }],
        ['apply', 'a', { listOfMaps: [{ name: 'a', value: { a: 'x', c: 'z' } }] }],
      ],
      object: { listOfMaps: [{ name: 'a', value: { c: 'z', a: 'x' } }] },
      owners: {
        'a/Apply': '.listOfMaps[name="a"] .listOfMaps[name="a"].name .listOfMaps[name="a"].value.a .listOfMaps[name="a"].value.c',
      },
    },
    {
      title: 'a value in a set under a key, and another key',
      steps: [
        ['apply', 'a', { mapOfSets: { a: ['b', 'c'], x: ['1'] } }],
        ['apply', 'a', { mapOfSets: { a: ['a', 'c'], y: ['1'] } }],
      ],
      object: { mapOfSets: { a: ['a', 'c'], y: ['1'] } },
      owners: { 'a/Apply': '.mapOfSets.a .mapOfSets.y .mapOfSets.a[="a"] .mapOfSets.a[="c"] .mapOfSets.y[="1"]' },
    },
    {
      title: 'a key in the middle of maps of maps',
      steps: [
        ['apply', 'a', { mapOfMaps: { a: { b: { c: '1' } } } }],
        ['apply', 'a', { mapOfMaps: { a: { d: { c: '1' } } } }],
      ],
      object: { mapOfMaps: { a: { d: { c: '1' } } } },
      owners: { 'a/Apply': '.mapOfMaps.a .mapOfMaps.a.d .mapOfMaps.a.d.c' },
    },
    {
      title: 'apply_remove_all: a struct of which nothing is said any more goes, and so does its owner',
      steps: [
        ['apply', 'a', { struct: { name: 'a', value: 1 } }],
        ['apply', 'a', {}],
      ],
      object: {},
      owners: {},
    },
    {
      title: 'apply_remove_dangling: null takes the rest of a struct away',
      steps: [
        ['apply', 'a', { struct: { name: 'a' } }],
        ['apply', 'a', { struct: null }],
      ],
      object: {},
      owners: { 'a/Apply': '.struct' },
    },
    {
      title: 'apply_update_remove_all: what an update has put into a struct stays',
      steps: [
        ['apply', 'a', { struct: { name: 'a' } }],
        ['update', 'u', { struct: { name: 'a', value: 1 } }],
        ['apply', 'a', {}],
      ],
      object: { struct: { value: 1 } },
      owners: { 'u/Update': '.struct.value' },
    },
    {
      title: 'apply_update_dict_dangling: an empty struct is said to be there, and keeps what others put into it',
      steps: [
        ['apply', 'a', { struct: { name: 'a' } }],
        ['update', 'u', { struct: { name: 'a', value: 1 } }],
        ['apply', 'a', { struct: {} }],
      ],
      object: { struct: { value: 1 } },
      owners: { 'a/Apply': '.struct', 'u/Update': '.struct.value' },
    },
    {
      title: 'apply_update_dict_null: null keeps what others put there as well',
      steps: [
        ['apply', 'a', { struct: { name: 'a' } }],
        ['update', 'u', { struct: { name: 'a', value: 1 } }],
        ['apply', 'a', { struct: null }],
      ],
      object: { struct: { value: 1 } },
      owners: { 'a/Apply': '.struct', 'u/Update': '.struct.value' },
    },
    {
      title: 'apply_update_took_over: null of a struct that an update has changed throughout',
      steps: [
        ['apply', 'a', { struct: { name: 'a' } }],
        ['update', 'u', { struct: { name: 'b', value: 1 } }],
        ['apply', 'a', { struct: null }],
      ],
      object: { struct: { name: 'b', value: 1 } },
      owners: { 'a/Apply': '.struct', 'u/Update': '.struct.name .struct.value' },
    },
    {
      title: 'null of a list and of a map keeps the items and keys of others',
      steps: [
        ['apply', 'a', { set: ['a'], map: { a: '1' }, list: [{ name: 'a' }], free: { a: 1 } }],
        ['apply', 'b', { set: null, map: null, list: null, free: null }],
      ],
      object: { set: ['a'], map: { a: '1' }, list: [{ name: 'a' }], free: { a: 1 } },
    },
    {
      title: 'null of an empty map that somebody else wants is a conflict',
      steps: [
        ['apply', 'a', { map: {} }],
        ['conflict', 'b', { map: null }, 'a: .map'],
      ],
      object: { map: {} },
    },
    {
      title: 'an item of which another applier has a part loses the parts of the one who drops it',
      steps: [
        ['apply', 'a', { listOfSets: [{ name: 'a' }, { name: 'b', value: ['c'] }] }],
        ['apply', 'b', { listOfSets: [{ name: 'b', value: ['d'] }] }],
        ['update', 'u', { listOfSets: [{ name: 'a' }, { name: 'b', value: ['c', 'd', 'e'] }] }],
        ['apply', 'a', { listOfSets: [{ name: 'a' }] }],
      ],
      object: { listOfSets: [{ name: 'a' }, { name: 'b', value: ['d', 'e'] }] },
      owners: {
        'a/Apply': '.listOfSets[name="a"] .listOfSets[name="a"].name',
        'b/Apply': '.listOfSets[name="b"] .listOfSets[name="b"].name .listOfSets[name="b"].value[="d"]',
        'u/Update': '.listOfSets[name="b"].value[="e"]',
      },
    },
  ])
})

describe('several appliers of single fields (MultipleAppliersFieldUnsetting)', () => {
  runCases([
    {
      title: 'unset by its only owner',
      steps: [
        ['apply', 'a', { struct: { name: 'a', value: 1, inner: { name: 'x' } } }],
        ['apply', 'a', { struct: { name: 'a' } }],
      ],
      object: { struct: { name: 'a' } },
      owners: { 'a/Apply': '.struct.name' },
    },
    {
      title: 'unset by one of two appliers',
      steps: [
        ['apply', 'a', { struct: { name: 'a', value: 1, inner: { name: 'x' } } }],
        ['apply', 'b', { struct: { value: 1, inner: { name: 'x' } } }],
        ['apply', 'a', { struct: { name: 'a' } }],
      ],
      object: { struct: { name: 'a', value: 1, inner: { name: 'x' } } },
      owners: { 'a/Apply': '.struct.name', 'b/Apply': '.struct.value .struct.inner.name' },
    },
    {
      title: 'unset by an applier when an updater has it too',
      steps: [
        ['update', 'u', { struct: { name: 'a', value: 1 } }],
        ['apply', 'a', { struct: { name: 'a', value: 1 } }],
        ['apply', 'a', { struct: { name: 'a' } }],
      ],
      object: { struct: { name: 'a', value: 1 } },
      owners: { 'a/Apply': '.struct.name', 'u/Update': '.struct .struct.name .struct.value' },
    },
  ])
})

describe('atomic maps (MultipleApplierAtomicMaps, FieldLevelOverrides)', () => {
  runCases([
    {
      title: 'are owned as one, and only the same whole is no conflict',
      steps: [
        ['apply', 'a', { atomicMap: { a: '1' }, atomicStruct: { name: 'x' } }],
        ['conflict', 'b', { atomicMap: { b: '1' }, atomicStruct: { value: 1 } }, 'a: .atomicMap', 'a: .atomicStruct'],
        ['apply', 'b', { atomicStruct: { name: 'x' } }],
        ['force', 'b', { atomicMap: { b: '1' }, atomicStruct: { name: 'x' } }],
      ],
      object: { atomicMap: { b: '1' }, atomicStruct: { name: 'x' } },
      owners: { 'a/Apply': '.atomicStruct', 'b/Apply': '.atomicMap .atomicStruct' },
    },
    {
      title: 'an update of a part takes the whole',
      steps: [
        ['apply', 'a', { atomicStruct: { name: 'x', value: 1 } }],
        ['update', 'u', { atomicStruct: { name: 'x', value: 2 } }],
        ['conflict', 'a', { atomicStruct: { name: 'x', value: 1 } }, 'u: .atomicStruct'],
      ],
      object: { atomicStruct: { name: 'x', value: 2 } },
      owners: { 'u/Update': '.atomicStruct' },
    },
  ])
})

describe('fields of no schema (Deduced, PreserveUnknownFields, MultipleAppliersDeducedType)', () => {
  runCases([
    {
      title: 'maps are granular and lists are one value',
      steps: [
        ['apply', 'a', { free: { map: { x: 1 }, list: [1, 2], name: 'n' } }],
        ['apply', 'b', { free: { map: { y: 2 } } }],
        ['conflict', 'b', { free: { list: [1, 2, 3] } }, 'a: .free.list'],
        ['apply', 'a', { free: { name: 'n' } }],
      ],
      object: { free: { map: { y: 2 }, name: 'n' } },
      owners: { 'a/Apply': '.free.name', 'b/Apply': '.free.map .free.map.y' },
    },
    {
      title: 'a value may become one of another type, which is a change of all that was below it',
      steps: [
        ['apply', 'a', { free: { x: { y: 1, z: 2 } } }],
        ['conflict', 'b', { free: { x: 5 } }, 'a: .free.x'],
        ['force', 'b', { free: { x: 5 } }],
      ],
      object: { free: { x: 5 } },
      owners: { 'b/Apply': '.free.x' },
    },
    {
      title: 'an empty map is said itself, and stays its owner’s',
      steps: [
        ['apply', 'a', { free: { x: {} } }],
        ['apply', 'b', { free: { x: { y: 1 } } }],
        ['apply', 'b', {}],
      ],
      object: { free: { x: {} } },
      owners: { 'a/Apply': '.free.x' },
    },
  ])
})

describe('keys with defaults (DefaultKeysFlat, DefaultKeysNested, DefaultKeysFlatErrors, Duplicates)', () => {
  runCases([
    {
      title: 'a key that is left out is its default',
      steps: [['apply', 'a', { ports: [{ port: 80 }, { port: 80, protocol: 'UDP' }] }]],
      object: {
        ports: [
          { port: 80, protocol: 'TCP' },
          { port: 80, protocol: 'UDP' },
        ],
      },
      owners: {
        'a/Apply': [
          '.ports[port=80,protocol="TCP"]',
          '.ports[port=80,protocol="UDP"]',
          '.ports[port=80,protocol="TCP"].port',
          '.ports[port=80,protocol="UDP"].port',
          '.ports[port=80,protocol="UDP"].protocol',
        ].join(' '),
      },
    },
    {
      title: 'an item without the key conflicts with the one that says it',
      steps: [
        ['apply', 'a', { ports: [{ port: 80, protocol: 'TCP', name: 'x' }] }],
        ['conflict', 'b', { ports: [{ port: 80, name: 'y' }] }, 'a: .ports[port=80,protocol="TCP"].name'],
      ],
    },
    {
      title: 'every key may be left out, at every depth',
      steps: [
        ['apply', 'a', { book: [{ sentences: [{ text: 'x' }] }] }],
        ['apply', 'a', { book: [{ sentences: [{ text: 'x', page: 2 }] }] }],
      ],
      object: { book: [{ chapter: 1, section: 'A', sentences: [{ text: 'x', page: 2, line: 3 }] }] },
      owners: {
        'a/Apply': [
          '.book[chapter=1,section="A"]',
          '.book[chapter=1,section="A"].sentences[line=3,page=2]',
          '.book[chapter=1,section="A"].sentences[line=3,page=2].page',
          '.book[chapter=1,section="A"].sentences[line=3,page=2].text',
        ].join(' '),
      },
    },
    {
      title: 'a key without a default must be there, and no item twice',
      steps: [
        ['refused', 'a', { ports: [{ protocol: 'TCP' }] }, /ports\[0\]\.port: Required value/],
        ['refused', 'a', { ports: [{ port: 80 }, { port: 80 }] }, /ports\[1\]: Duplicate value/],
        ['refused', 'a', { ports: [{ port: 80 }, { port: 80, protocol: 'TCP' }] }, /ports\[1\]: Duplicate value/],
        ['refused', 'a', { set: ['a', 'a'] }, /set\[1\]: Duplicate value: "a"/],
        ['refused', 'a', { list: [{ name: 'a', value: 1 }, { name: 'a' }] }, /list\[1\]\.name: Duplicate value: "a"/],
      ],
    },
  ])
})

describe('conflicts (NewFromSets, ConflictsFromManagers)', () => {
  runCases([
    {
      title: 'are sorted by manager, and of each the fields before what is below them',
      steps: [
        ['apply', 'bob', { text: '1', struct: { name: 'b' } }],
        ['apply', 'alice', { number: 1, list: [{ name: 'a', value: 1 }], map: { k: '1' } }],
        [
          'conflict',
          'carol',
          { text: '2', number: 2, struct: { name: 'c' }, map: { k: '2' }, list: [{ name: 'a', value: 2 }] },
          'alice: .number',
          'alice: .list[name="a"].value',
          'alice: .map.k',
          'bob: .text',
          'bob: .struct.name',
        ],
      ],
    },
  ])
})

describe('schemas that change (GranularToAtomic, AtomicToGranular, ReconcileFieldSetWithSchema, AssociativeListSchemaChanges, PromoteFieldToAssociativeListKey)', () => {
  const granular = struct({ name: text, value: integer })
  const atomic = { ...granular, 'x-kubernetes-map-type': 'atomic' as const }
  const byNameAndId = keyed(['name', 'id'], { name: text, id: { ...integer, default: 1 }, value: integer, other: integer })
  runCases([
    {
      title: 'who owned a part of what is one value now owns it all',
      steps: [
        ['apply', 'a', { struct: { value: 1 } }],
        ['schema', { struct: atomic }],
        ['conflict', 'b', { struct: { name: 'x' } }, 'a: .struct'],
        ['force', 'b', { struct: { name: 'x' } }],
      ],
      object: { struct: { name: 'x' } },
      owners: { 'b/Apply': '.struct' },
    },
    {
      title: 'who had lost all parts owns nothing of the one value',
      steps: [
        ['apply', 'a', { struct: { value: 1 } }],
        ['force', 'b', { struct: { value: 2 } }],
        ['schema', { struct: atomic }],
        ['conflict', 'c', { struct: { name: 'x' } }, 'b: .struct'],
      ],
    },
    {
      title: 'an update of what is one value now leaves nobody with parts of it',
      steps: [
        ['apply', 'a', { struct: { value: 1 }, text: 'x' }],
        ['schema', { struct: atomic }],
        ['update', 'u', { struct: { value: 2 } }],
      ],
      owners: { 'a/Apply': '.text', 'u/Update': '.struct' },
    },
    {
      title: 'who owned what was one value owns all of its parts',
      steps: [
        ['schema', { struct: atomic }],
        ['apply', 'a', { struct: { value: 1, name: 'a' } }],
        ['conflict', 'b', { struct: { name: 'b' } }, 'a: .struct'],
        ['schema', { struct: granular }],
        ['conflict', 'b', { struct: { name: 'b' } }, 'a: .struct.name'],
        ['force', 'b', { struct: { name: 'b' } }],
      ],
      object: { struct: { value: 1, name: 'b' } },
      owners: { 'a/Apply': '.struct .struct.value', 'b/Apply': '.struct.name' },
    },
    {
      title: 'a list that was one value belongs to its owner item by item, and the other way round',
      steps: [
        ['schema', { set: { type: 'array', items: text } }],
        ['apply', 'a', { set: ['a', 'b'] }],
        ['schema', { set: setOf(text) }],
        ['apply', 'b', { set: ['b', 'c'] }],
        ['apply', 'a', { set: ['a'] }],
        ['schema', { set: { type: 'array', items: text } }],
        ['conflict', 'b', { set: ['x'] }, 'a: .set'],
      ],
      object: { set: ['a', 'b', 'c'] },
    },
    {
      title: 'an empty struct that was said to be there does not make its owner own what others put into it',
      steps: [
        ['apply', 'a', { struct: {} }],
        ['apply', 'b', { struct: { name: 'x' } }],
        ['apply', 'b', { struct: { name: 'y' } }],
        ['apply', 'b', {}],
      ],
      object: { struct: {} },
      owners: { 'a/Apply': '.struct' },
    },
    {
      title: 'items get another key: those that are said again are the same items, and more may be said beside them',
      steps: [
        ['apply', 'a', { list: [{ name: 'a', value: 1 }, { name: 'b' }] }],
        ['schema', { list: byNameAndId }],
        [
          'apply',
          'a',
          {
            list: [
              { name: 'a', value: 2 },
              { name: 'a', id: 2 },
              { name: 'b', id: 1 },
            ],
          },
        ],
      ],
      object: {
        list: [
          { name: 'a', id: 1, value: 2 },
          { name: 'a', id: 2 },
          { name: 'b', id: 1 },
        ],
      },
    },
  ])
})
