import { describe, expect, it } from 'vitest'
import { config, faults } from '../../../test/support/config-texts.ts'

const HASH = `sha256:${'0123456789abcdef'.repeat(4)}`
const WEB = '[sockets.web]\nlisten = "tcp://127.0.0.1:1"\n'

describe('[tokens]', () => {
  it('holds the hash of each secret', () => {
    const { tokens } = config(`${WEB}allow = ["token:a"]\n[tokens]\na = "${HASH}"\n"b/c" = "${HASH}"`)
    expect([...tokens].map(([name, hash]) => [name, hash.toString('hex')])).toEqual([
      ['a', HASH.slice(7)],
      ['b/c', HASH.slice(7)],
    ])
  })

  it.each([
    '"hunter2"',
    '"sha256:0"',
    `"${HASH}0"`,
    `"${HASH.slice(7)}"`,
    `"${HASH.toUpperCase()}"`,
    '1',
    'true',
    `["${HASH}"]`,
  ])('refuses %s, and does not repeat what may be a secret', (value) => {
    expect(faults(`[tokens]\na = ${value}`)).toEqual([
      'broker.toml:2:1: tokens.a: is not "sha256:" and 64 lower-case hexadecimal digits; make it with `fd-broker token new NAME`',
    ])
  })

  it('refuses a name that no rule could name', () => {
    expect(faults(`[tokens]\n"a b" = "${HASH}"`)[0]).toMatch(/tokens\."a b": the name must begin/)
  })

  it('refuses more than are compared with a hello', () => {
    const many = Array.from({ length: 1025 }, (_, i) => `t${i} = "${HASH}"`).join('\n')
    expect(faults(`[tokens]\n${many}`)).toEqual([
      'broker.toml:1:2: tokens: has 1025 tokens; at most 1024 can be compared with each hello',
    ])
  })
})

describe('a rule that names a token', () => {
  it('needs one of [tokens]', () => {
    expect(faults(`${WEB}allow = ["user:root token:deplyo"]\n[tokens]\ndeploy = "${HASH}"`)).toEqual([
      'broker.toml:3:10: sockets.web.allow[0]: there is no token "deplyo"; did you mean "deploy"?',
    ])
  })

  it('may stand among the admins and viewers', () => {
    const text = `[broker]\nadmins = ["token:a"]\nviewers = ["group:adm token:a"]\n[tokens]\na = "${HASH}"`
    expect(config(text).broker).toMatchObject({
      admins: [[{ kind: 'token', name: 'a' }]],
      viewers: [
        [
          { kind: 'group', gid: 4 },
          { kind: 'token', name: 'a' },
        ],
      ],
    })
  })

  it('is not blamed for a token whose hash is at fault', () => {
    expect(faults(`${WEB}allow = ["token:a"]\n[tokens]\na = "x"`)).toHaveLength(1)
  })
})
