/** examples/compose as a user runs it, and scaled under load. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { EXAMPLES, isServing, startTraffic, until } from './traffic.ts'
import { startUsersEngine } from './users-engine.ts'

const engine = await startUsersEngine({ after }, { liveRestore: true })
const FOLDER = join(EXAMPLES, 'compose')

async function compose(...args: readonly string[]): Promise<string> {
  return engine.docker('compose', '--project-directory', FOLDER, '--ansi', 'never', ...args)
}

async function up(count: number): Promise<void> {
  await compose('up', '--detach', '--no-recreate', '--scale', `web=${count}`)
}

function logs(): Promise<string> {
  return compose('logs', '--tail', '20')
}

async function down(): Promise<void> {
  await compose('down', '--timeout', '3')
}

/** When each of these containers was started, ms since the epoch, by the beginning of its id. */
async function startedAt(): Promise<ReadonlyMap<string, number>> {
  const ids = (await compose('ps', '-q', 'web')).split('\n')
  const lines = await engine.docker('inspect', '-f', '{{.Id}} {{.State.StartedAt}}', ...ids)
  const pairs = lines.split('\n').map((line) => line.split(' '))
  return new Map(pairs.map(([id = '', at = '']) => [id.slice(0, 12), Date.parse(at)]))
}

test('compose up brings the example up, and each container of a scaled service takes its turn', async (t) => {
  t.after(down)
  engine.env['DELAY_MS'] = '0'

  await compose('up', '--detach')
  await until(isServing, 'the first response', logs)
  const before = await startedAt()
  const traffic = startTraffic(t, 4, 5)
  await up(5)
  await until(() => traffic.containers.size === 5, 'five containers answer', logs)

  await traffic.assertAllAnswered()
  const lags = traffic.lagsAfter(await startedAt(), before)
  t.diagnostic(`from the start of a container to its first response, ms: ${lags.join(', ')}`)
})

test('scaling to 5, 1 and 5 under load fails no request', async (t) => {
  t.after(down)
  engine.env['DELAY_MS'] = '2000'
  await compose('up', '--detach')
  await until(isServing, 'the first response', logs)
  const traffic = startTraffic(t, 60)

  for (const count of [5, 1, 5]) {
    const begun = performance.now()
    await up(count)
    t.diagnostic(`scaled to ${count} in ${Math.round(performance.now() - begun)} ms`)
    // Those that were in flight.
    await traffic.more(120)
    traffic.forget()
    await traffic.more(120)
    assert.equal(traffic.containers.size, count)
  }

  const { answered } = traffic.report()
  await traffic.assertAllAnswered()
  t.diagnostic(`${answered} responses, 0 failed`)
})

test('the engine killed and back under load fails no request, and is in step again', async (t) => {
  t.after(down)
  engine.env['DELAY_MS'] = '100'
  // The port of a container is a process of the engine, which dies with it, so Sluice listens on the host itself. The engine makes
  // its socket anew, so the folder is mounted.
  const override = join(engine.folder, 'host.yaml')
  const config = join(engine.folder, 'sluice.yaml')
  const source = '{ endpoint: unix:///engine/docker.sock }'
  await writeFile(
    config,
    `listeners: { web: { address: :8080 } }\nsources: { docker: ${source} }\n`,
  )
  const volumes = [`${dirname(engine.socket)}:/engine`, `${config}:/etc/sluice/docker.yaml:ro`]
  const sluice = `network_mode: host\n    ports: !reset []\n    volumes: !override ${JSON.stringify(volumes)}`
  await writeFile(override, `services:\n  sluice:\n    ${sluice}\n`)
  const files = ['-f', join(FOLDER, 'compose.yaml'), '-f', override]
  const scaleTo = (count: number): Promise<string> =>
    compose(...files, 'up', '--detach', '--no-recreate', '--scale', `web=${count}`)
  await scaleTo(3)
  await until(isServing, 'the first response', logs)
  const traffic = startTraffic(t, 20)
  await until(() => traffic.containers.size === 3, 'three containers answer', logs)

  await engine.kill()
  await traffic.more(600)
  await engine.start()
  traffic.forget()
  await traffic.more(600)
  const during = traffic.containers.size
  await scaleTo(4)
  await until(() => traffic.containers.size === 4, 'four containers answer', logs)

  assert.equal(during, 3)
  const { answered } = traffic.report()
  await traffic.assertAllAnswered()
  t.diagnostic(`${answered} responses, 0 failed`)
})
