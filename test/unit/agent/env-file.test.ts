import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { EnvFileError, parseEnvFile } from '../../../src/agent/env-file.ts'

const rows: readonly (readonly [given: string, text: string, env: Readonly<Record<string, string>>])[] = [
  ['plain lines', 'A=1\nB=two\n', { A: '1', B: 'two' }],
  ['no end of the last line', 'A=1', { A: '1' }],
  ['empty lines and comments', '\n# A=0\n  ; B=0\nA=1 # one\n', { A: '1' }],
  ['a # inside of a word', 'A=a#b\n', { A: 'a#b' }],
  ['export in front', 'export A=1\n  export  B=2\n', { A: '1', B: '2' }],
  ['a variable of the name export', 'export=1\n', { export: '1' }],
  ['single quotes', 'A=\'x "y" $z \\n\'\n', { A: 'x "y" $z \\n' }],
  ['double quotes', 'A="x \'y\' \\"z\\" \\$w \\\\ \\n"\n', { A: 'x \'y\' "z" $w \\ \\n' }],
  ['pieces side by side', `A=a'b c'"d"\n`, { A: 'ab cd' }],
  ['a value over several lines', 'A="one\ntwo"\nB=3\n', { A: 'one\ntwo', B: '3' }],
  ['a continued line', 'A=one\\\ntwo\nB="three\\\nfour"\n', { A: 'onetwo', B: 'threefour' }],
  ['words with spaces between', 'OPTS=-a -b  -c\n', { OPTS: '-a -b  -c' }],
  ['space at the end', 'A=1  \t\r\nB=2\r\n', { A: '1', B: '2' }],
  ['an empty value', 'A=\nB=""\n', { A: '', B: '' }],
  ['a sign of byte order', '\ufeffA=1\n', { A: '1' }],
  ['an = in the value', 'URL=http://x/?a=b&c=d\n', { URL: 'http://x/?a=b&c=d' }],
  ['the same name twice', 'A=1\nA=2\n', { A: '2' }],
  ['a name that objects have', '__proto__=1\nconstructor=2\n', { ['__proto__']: '1', constructor: '2' }],
  ['an escaped quote outside of quotes', "A=it\\'s\n", { A: "it's" }],
]

describe('an environment file', () => {
  for (const [given, text, env] of rows) {
    test(`with ${given} is read`, () => assert.deepEqual(Object.entries(parseEnvFile(text, 'f')), Object.entries(env)))
  }

  const broken: readonly (readonly [given: string, text: string, message: RegExp])[] = [
    ['a command', 'A=1\n\nulimit -n 100\n', /^\/etc\/default\/x:3: expected "=" right after ulimit$/],
    ['a name that is none', 'A=1\n1B=2\n', /^\/etc\/default\/x:2: expected NAME=value$/],
    ['a space before the =', 'A = 1\n', /^\/etc\/default\/x:1: expected "=" right after A$/],
    ['an open single quote', "A='secret\nB=2\n", /^\/etc\/default\/x:1: the single quote is never closed$/],
    ['an open double quote', 'A=1\nB="secret\n', /^\/etc\/default\/x:2: the double quote is never closed$/],
  ]
  for (const [given, text, message] of broken) {
    test(`with ${given} is refused with its line, and without its values`, () => {
      assert.throws(
        () => parseEnvFile(text, '/etc/default/x'),
        (err) => err instanceof EnvFileError && message.test(err.message) && !err.message.includes('secret'),
      )
    })
  }
})
