/**
 * docs/from-the-talk.md from its first command to its last: each prints what the page says. Left out are the builds, which need a
 * network; `image` has made their images.
 */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { consulCommand } from '../support/consul.ts'
import { readPage, stepsOf } from '../support/docs.ts'
import { follow, openTerminal } from '../support/terminal.ts'
import { startUsersEngine } from './users-engine.ts'

/** Of a line of commands. */
const BUILD = /^docker (?:compose )?build .*\n|^docker compose build\n/gm
const PATIENCE_MS = 600_000

// As section 6 of the page wants it.
const engine = await startUsersEngine({ after }, { args: ['--host', 'tcp://127.0.0.1:2375'] })

test('every command of the page prints what the page says', async (t) => {
  const { DOCKER_HOST = '', DOCKER_CONFIG = '', PATH = '' } = engine.env
  const terminal = openTerminal(t, {
    env: { DOCKER_HOST, DOCKER_CONFIG },
    commands: {
      docker: `PATH='${PATH}' exec docker "$@"`,
      consul: `exec ${consulCommand()} "$@"`,
    },
    folders: ['examples/voting-app'],
    isRoot: true,
  })
  const page = readPage('docs/from-the-talk.md')
  const steps = stepsOf(page).map(({ commands, printed }) => ({
    commands: commands.replace(BUILD, ''),
    printed,
  }))
  assert.equal(page.match(BUILD)?.length, 2)

  await follow(terminal, steps, PATIENCE_MS)
})
