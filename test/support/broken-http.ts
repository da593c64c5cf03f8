import type { Dice } from './spoil.ts'

/** Bytes for one connection that are no HTTP, or hardly. */
export interface BrokenHttp {
  readonly title: string
  /** Sent one after the other. */
  readonly pieces: readonly string[]
}

const BODY = '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"half"}}'
const HEAD = 'POST /api/v1/namespaces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n'
const CHUNKED = `${HEAD}transfer-encoding: chunked\r\n\r\n`
const GET = 'GET /api/v1/namespaces HTTP/1.1\r\nhost: x\r\n'
const WATCH = 'GET /api/v1/namespaces?watch=1 HTTP/1.1\r\nhost: x\r\n\r\n'

/** Each ends in what can't be taken for the begin of a request: there is nothing to wait for. */
const CASES: readonly ((dice: Dice) => BrokenHttp)[] = [
  (dice) => ({ title: 'noise', pieces: [noise(dice, 1 + dice.below(2_000)), '\r\n\r\n'] }),
  (dice) => ({
    title: 'a bad first line',
    pieces: [
      dice.of([
        'GET\r\n\r\n',
        'GET / HTTP/9.9\r\n\r\n',
        'GET / HTTP/1.1 more\r\nhost: x\r\n\r\n',
        'BREW /pot HTTP/1.1\r\nhost: x\r\n\r\n',
        'GET  HTTP/1.1\r\n\r\n',
        '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
        'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
        'GET /\0 HTTP/1.1\r\nhost: x\r\n\r\n',
      ]),
    ],
  }),
  (dice) => ({
    title: 'a bad header',
    pieces: [
      `${GET}${dice.of([
        ': x',
        'a b: c',
        'a\0: c',
        'a: b\rc: d',
        'content-length: -1',
        'content-length: 1\r\ncontent-length: 2',
        'content-length: 99999999999999999999',
        'content-length: 5\r\ntransfer-encoding: chunked',
        'transfer-encoding: gzip, x',
        'host: y\0',
      ])}\r\n\r\n`,
    ],
  }),
  (dice) => ({
    title: 'a head without end',
    pieces: [GET, ...Array.from({ length: 20 }, () => `x: ${'y'.repeat(3_000 + dice.below(6_000))}\r\n`)],
  }),
  (dice) => ({
    title: 'lies about chunks',
    pieces: [
      CHUNKED,
      dice.of([
        'zz\r\n',
        '-5\r\nhello\r\n',
        '5\r\nhello world\r\n',
        'ffffffffffffffffff\r\n',
        '5 5\r\nhello\r\n',
        `${'0'.repeat(40_000)}5\r\nhello\r\n`,
      ]),
      'x\r\n\r\nx',
    ],
  }),
  (dice) => ({
    title: 'requests behind each other, the last one broken',
    pieces: [`${GET}\r\n`.repeat(1 + dice.below(50)), `${noise(dice, 40)}\r\n\r\n`],
  }),
  (dice) => ({
    title: 'an upgrade to what is not spoken',
    pieces: [
      `${GET}connection: upgrade, close\r\nupgrade: ${dice.of(['websocket', 'h2c', 'SPDY/3.1', '', 'x'.repeat(2_000)])}\r\n\r\n`,
      `${noise(dice, 200)}\r\n\r\n`,
    ],
  }),
  (dice) => ({
    title: 'a tunnel',
    pieces: [`CONNECT ${dice.of(['x:1', '/', '127.0.0.1:22'])} HTTP/1.1\r\nhost: x\r\n\r\n`, noise(dice, 100)],
  }),
  (dice) => ({ title: 'noise behind a body', pieces: [`${HEAD}content-length: 4\r\n\r\n${BODY}`, `${noise(dice, 30)}\r\n\r\n`] }),
  (dice) => ({ title: 'noise behind a watch', pieces: [WATCH, `${noise(dice, 30)}\r\n\r\n`] }),
  () => ({ title: 'an expectation that nobody fulfils', pieces: [`${GET}expect: the-unexpected\r\n\r\n`, '\0\r\n\r\n'] }),
]

/** In turn one of each sort. */
export function brokenHttp(dice: Dice, count: number): readonly BrokenHttp[] {
  return Array.from({ length: count }, (_, n) => {
    const make = CASES[n % CASES.length] as (dice: Dice) => BrokenHttp
    const { title, pieces } = make(dice)
    // Sometimes torn where nobody would.
    return { title, pieces: dice.chance(0.3) ? pieces.flatMap((piece) => torn(dice, piece)) : pieces }
  })
}

function torn(dice: Dice, piece: string): readonly string[] {
  const at = dice.below(piece.length)
  return [piece.slice(0, at), piece.slice(at)]
}

/** Never the begin of a method. */
function noise(dice: Dice, length: number): string {
  return `\x01${Array.from({ length }, () => String.fromCharCode(dice.below(256))).join('')}`
}
