import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import { keyIn, processKey, type Summary, Surroundings } from '../../../src/agent/surroundings.ts'
import type { Dependency, Instance, Process } from '../../../src/generated/types.ts'
import { PolicyWorld } from '../../support/policy-world.ts'

const UP: Summary = { alive: true, started: true, ready: true, succeeded: false, goingDown: false, attempt: 1 }

describe('the surroundings of an Instance', () => {
  let instances: Instance[]
  let processes: Map<string, Process>
  let looked: string[]
  let surroundings: Surroundings

  beforeEach(() => {
    instances = []
    processes = new Map()
    looked = []
    surroundings = new Surroundings({
      instancesOf: (key) => instances.filter((each) => processKey(each) === key),
      dependantsOf: (key) => instances.filter((each) => each.spec.template.dependsOn?.some(({ name }) => keyIn(each, name) === key)),
      process: (key) => processes.get(key),
      enqueue: (uid) => looked.push(uid),
    })
  })

  function add(name: string, dependsOn: readonly string[] = [], more: Partial<Dependency> = {}): Instance {
    const { instance } = new PolicyWorld()
    const added: Instance = {
      ...instance,
      metadata: { ...instance.metadata, name: `${name}-${instances.length}`, uid: `uid-${name}-${instances.length}` },
      spec: {
        ...instance.spec,
        process: name,
        template: {
          ...instance.spec.template,
          dependsOn: dependsOn.map((other) => ({ name: other, kind: 'Process', condition: 'Ready', onRestart: 'Ignore', ...more })),
        },
      },
    }
    instances.push(added)
    return added
  }

  function process(
    name: string,
    spec: { readonly replicas: number; readonly desiredState?: 'Stopped' },
    status: Process['status'] = {},
  ): void {
    // Only what is looked at of a Process.
    processes.set(`default/${name}`, { metadata: { name }, spec: { desiredState: 'Running', ...spec }, status } as Process)
  }

  const messageOf = (instance: Instance): string | undefined =>
    surroundings
      .dependencies(instance)
      .map(({ message }) => message)
      .join()

  test('have a dependency that is met when all replicas are as they should be', () => {
    const [one, two, web] = [add('db'), add('db'), add('web', ['db'])]
    process('db', { replicas: 2 })
    surroundings.publish(one, UP)
    assert.equal(messageOf(web), 'Process db is not ready (1 of 2)')
    surroundings.publish(two, { ...UP, ready: false })
    assert.equal(messageOf(web), 'Process db is not ready (1 of 2)')
    surroundings.publish(two, UP)
    assert.equal(surroundings.dependencies(web)[0]?.met, true)
    assert.deepEqual(looked, Array(3).fill(web.metadata.uid))
  })

  test('say what is wrong with a dependency', () => {
    const web = add('web', ['db'])
    assert.equal(messageOf(web), 'Process db does not exist')
    process('db', { replicas: 1, desiredState: 'Stopped' })
    assert.equal(messageOf(web), 'Process db is stopped')
    process('db', { replicas: 0 })
    assert.equal(messageOf(web), 'Process db has no replicas')
    process('db', { replicas: 1 })
    assert.equal(messageOf(add('late', ['db'], { condition: 'Succeeded' })), 'Process db is not done')
  })

  test('take the word of a Process whose Instances are on other nodes', () => {
    const web = add('web', ['db'])
    process('db', { replicas: 3 }, { conditions: [{ type: 'Ready', status: 'True' }] })
    assert.equal(surroundings.dependencies(web)[0]?.met, true)
  })

  test('hold back the stop of what others depend on, as long as they are going down too', () => {
    const [db, web] = [add('db'), add('web', ['db'])]
    surroundings.publish(web, UP)
    assert.deepEqual(surroundings.dependants(db), [])
    surroundings.publish(web, { ...UP, goingDown: true })
    assert.deepEqual(surroundings.dependants(db), [web.metadata.name])
    surroundings.publish(web, { ...UP, goingDown: true, alive: false })
    assert.deepEqual(surroundings.dependants(db), [])
    assert.deepEqual(looked, Array(3).fill(db.metadata.uid))
  })

  test('make nobody wait in a circle', () => {
    const all = [add('a', ['b']), add('b', ['c']), add('c', ['a'])]
    for (const each of all) surroundings.publish(each, { ...UP, goingDown: true })
    for (const each of all) assert.deepEqual(surroundings.dependants(each), [])
  })

  test('are not told of what changes nothing', () => {
    const [db] = [add('db'), add('web', ['db'])]
    surroundings.publish(db, UP)
    surroundings.publish(db, { ...UP })
    assert.equal(looked.length, 1)
  })
})
