import { isChange } from './http.ts'
import { now, p50, p99, sleep, timed } from './measure.ts'
import type { Report } from './report.ts'
import { type BenchServer, CONFIG_MAPS, configMap, PROCESSES } from './server.ts'

/** Between two questions of one sort: a user, not a load. */
const PAUSE = 100

/**
 * Asks the server again and again as its users would, while something else goes on: the list of all Processes, one
 * object, a write that a watcher waits for, and the command line. The function ends it and reports.
 */
export async function startResponsiveness(server: BenchServer): Promise<(report: Report, when: string) => Promise<void>> {
  let over = false
  const took = { list: [] as number[], get: [] as number[], watch: [] as number[], cli: [] as number[] }
  const name = 'responsiveness'
  await server.http.send({ method: 'POST', path: CONFIG_MAPS, body: configMap(name, 0) })
  let seen = (_at: number): void => {}
  const stopWatch = await server.http.lines({ method: 'GET', path: `${CONFIG_MAPS}?watch=1` }, (line, at) => {
    if (isChange(line)) seen(at)
  })
  const repeat = async (into: number[], work: () => Promise<number>): Promise<void> => {
    while (!over) {
      into.push(await work())
      await sleep(PAUSE)
    }
  }
  let round = 0
  const loops = [
    repeat(took.list, () => timed(() => server.http.send({ method: 'GET', path: PROCESSES }))),
    repeat(took.get, () => timed(() => server.http.send({ method: 'GET', path: `${CONFIG_MAPS}/${name}` }))),
    repeat(took.watch, async () => {
      round += 1
      const event = new Promise<number>((resolve) => {
        seen = resolve
      })
      const begin = now()
      await server.http.send({ method: 'PUT', path: `${CONFIG_MAPS}/${name}`, body: configMap(name, round) })
      return (await event) - begin
    }),
    repeat(took.cli, () => timed(() => server.pmk('get', 'processes'))),
  ]
  const all = Promise.all(loops)
  // Looked at by whoever ends it; until then a failure must not end the run.
  all.catch(() => {})
  return async (report, when) => {
    over = true
    await all
    stopWatch()
    const row = (what: string, values: readonly number[]): void =>
      report.row({
        what: `${what} ${when}, p50`,
        value: p50(values),
        unit: 'ms',
        detail: `p99 ${p99(values).toFixed(0)}, ${values.length} times`,
      })
    row('GET of all Processes', took.list)
    row('GET of one object', took.get)
    row('write → watcher', took.watch)
    row('pmk get processes', took.cli)
  }
}
