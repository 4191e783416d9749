/**
 * examples/voting-app as a user runs it, with Compose and as a stack of a Swarm: voted in Chromium, scaled under load, and a
 * container of each service killed. No request may fail, and no vote may be lost.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, test, type TestContext } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { startVotes } from '../support/votes.ts'
import { launchChromium, openVotingPages } from '../support/voting-pages.ts'
import { get, until } from './traffic.ts'
import { startUsersEngine } from './users-engine.ts'
import { VOTING_APP } from './voting-images.ts'

const PORT = 8080
const SERVICES = ['vote', 'result', 'worker', 'redis', 'db'] as const

type Service = (typeof SERVICES)[number]

interface Site {
  /** Resolves when its containers are started, of each service so many. */
  scale(counts: { readonly vote: number; readonly result: number }): Promise<void>
  /** Ids of the containers that run. */
  containersOf(service: Service): Promise<readonly string[]>
  remove(): Promise<void>
  logs(): Promise<string>
}

const engine = await startUsersEngine({ after })
const { docker } = engine
const browser = await launchChromium()
after(() => browser.close())

async function compose(...args: readonly string[]): Promise<string> {
  return docker('compose', '--project-directory', VOTING_APP, '--ansi', 'never', ...args)
}

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '')
}

/** Without the requests that went well, and what a service prints as it starts. */
function worthReading(log: string): string {
  const dull =
    /"status":(?:101|200|303)|"level":"info"|redis-|db-|listens on|PostgreSQL: |"POST \/ /
  const lines = linesOf(log).filter((line) => !dull.test(line))
  return lines.slice(-40).join('\n')
}

const composed: Site = {
  async scale({ vote, result }) {
    const scales = ['--scale', `vote=${vote}`, '--scale', `result=${result}`]
    await compose('up', '--detach', '--no-recreate', ...scales)
  },
  containersOf: async (service) => linesOf(await compose('ps', '-q', service)),
  remove: async () => void (await compose('down', '--volumes', '--timeout', '3')),
  logs: async () => worthReading(await compose('logs', '--no-color')),
}

const stack: Site = {
  async scale({ vote, result }) {
    await docker('service', 'scale', `voting_vote=${vote}`, `voting_result=${result}`)
  },
  containersOf: async (service) =>
    linesOf(
      await docker('ps', '-q', '-f', `label=com.docker.swarm.service.name=voting_${service}`),
    ),
  async remove() {
    await docker('stack', 'rm', 'voting')
    await until(async () => (await docker('ps', '-q')) === '', 'the containers are gone', this.logs)
    await docker('swarm', 'leave', '--force')
  },
  async logs() {
    const services = ['sluice', ...SERVICES].map((one) =>
      docker('service', 'logs', '--raw', `voting_${one}`).catch(String),
    )
    const logs = (await Promise.all(services)).map(worthReading)
    const tasks = await docker('service', 'ps', '--no-trunc', 'voting_sluice')
    return [await docker('service', 'ls'), tasks, ...logs].join('\n')
  },
}

/** Process 1 of its first container, as if it had crashed. */
async function kill(site: Site, service: Service): Promise<void> {
  const [id = ''] = await site.containersOf(service)
  process.kill(Number(await docker('inspect', '-f', '{{.State.Pid}}', id)), 'SIGKILL')
  await until(
    async () => {
      const [now = ''] = await site.containersOf(service)
      const format = '{{.State.Running}} {{.RestartCount}}'
      const [isRunning, restarts] = (
        await docker('inspect', '-f', format, now).catch(String)
      ).split(' ')
      return isRunning === 'true' && (now !== id || restarts !== '0')
    },
    `${service} runs again`,
    site.logs,
  )
}

/** The vote of each voter in PostgreSQL; none before its first start. */
async function stored(site: Site): Promise<ReadonlyMap<string, string>> {
  const [db = ''] = await site.containersOf('db')
  const query = ['psql', '-U', 'postgres', '-XAt', '-F', ' ', '-c', 'SELECT id, vote FROM votes']
  const rows = linesOf(await docker('exec', db, ...query).catch(() => ''))
  return new Map(rows.map((row) => [row.split(' ')[0] ?? '', row.split(' ')[1] ?? '']))
}

async function drive(t: TestContext, site: Site): Promise<void> {
  const isServing = async (host: string): Promise<boolean> => (await get(host, '/')).status === 200
  for (const host of ['vote.localhost', 'result.localhost']) {
    await until(() => isServing(host), `${host} serves`, site.logs)
  }
  const pages = openVotingPages(t, browser, PORT)
  const [cat, dog, result] = [
    await pages.openVote(),
    await pages.openVote(),
    await pages.openResult(),
  ]
  await cat.vote('Cats')
  await dog.vote('Dogs')
  await result.shows({ cats: '50.0%', dogs: '50.0%', total: '2 votes in all' })
  const before = await stored(site)

  const { load, cast, instances, forget } = startVotes(t, PORT)
  const more = async (count: number): Promise<void> => {
    await load.more(count).catch(async (error: unknown) => {
      assert.fail(`${String(error)}\n${await site.logs()}`)
    })
  }
  await site.scale({ vote: 5, result: 2 })
  forget()
  await until(() => instances.size === 7, 'five and two containers respond', site.logs)
  for (const service of SERVICES) {
    const begun = performance.now()
    await kill(site, service)
    await more(60)
    t.diagnostic(`${service} killed, and back in ${Math.round(performance.now() - begun)} ms`)
  }
  await site.scale({ vote: 1, result: 2 })
  await more(120)
  forget()
  await more(120)
  const left = instances.size
  const { statuses, failures, refused } = await load.stop()

  const answers = { failures, refused, statuses: Object.keys(statuses) }
  const expectedAnswers = { failures: [], refused: 0, statuses: ['200', '303'] }
  if (!isDeepStrictEqual(answers, expectedAnswers)) t.diagnostic(await site.logs())
  assert.deepEqual(answers, expectedAnswers)
  assert.equal(left, 3)
  const expected = new Map([...before, ...cast])
  await until(
    async () => (await stored(site)).size === expected.size,
    `${expected.size} votes are stored`,
    site.logs,
  )
  assert.deepEqual(await stored(site), expected)
  await result.shows({ total: `${expected.size.toLocaleString('en')} votes in all` })
  assert.deepEqual(pages.problems, [])
  t.diagnostic(`${cast.size} votes, 0 lost; statuses ${JSON.stringify(statuses)}`)
}

test('with Compose, scaling and a kill of each service fail no request and lose no vote', async (t) => {
  t.after(() => composed.remove())
  await composed.scale({ vote: 1, result: 1 })

  await drive(t, composed)
})

test('as a stack of a Swarm, scaling and a kill of each service fail no request and lose no vote', async (t) => {
  t.after(() => stack.remove())
  await docker('swarm', 'init', '--advertise-addr', '127.0.0.1')
  // The test scales it.
  engine.env['DRY_RUN'] = 'true'
  const file = join(VOTING_APP, 'stack.yml')
  // Its images are here only.
  await docker('stack', 'deploy', '--resolve-image', 'never', '--compose-file', file, 'voting')

  await drive(t, stack)
})
