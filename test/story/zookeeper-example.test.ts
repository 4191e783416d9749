// needs: zookeeper
/** The examples of ZooKeeper: the commands of their comments are run as they stand there, those of zkCli.sh in one session. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { test, type TestContext } from 'node:test'
import {
  untilFrom,
  placeExample,
  startExample,
  type Example,
  type Site,
} from '../support/example.ts'
import { runProgram } from '../support/program.ts'
import { untilTable } from '../support/sources.ts'
import { startZookeeper } from '../support/zookeeper.ts'

const ZKCLI = '/usr/share/zookeeper/bin/zkCli.sh'

interface Stage {
  readonly example: Example
  readonly site: Site
  /** Runs the commands that follow `create` in the comment; the returned function ends their session. */
  createAll(): () => void
}

test('the example of the native layout has its route, and a server as long as its session', async (t) => {
  const { example, site, createAll } = await start(t, 'examples/zookeeper.yaml')
  for (const command of commandsOf(example, 'sluice ')) {
    const put = await runProgram(t, words(command.replace('zookeeper.yaml', example.path)))
    assert.equal(put.code, 0, put.errors)
  }

  const end = createAll()
  await untilServers(site, 2)
  await untilFrom(site, 'vote.localhost', ['5001', '5002'])
  end()
  await untilServers(site, 1)

  await untilFrom(site, 'vote.localhost', ['5001'])
})

test('the example of nerve has the server of the session', async (t) => {
  const { site, createAll } = await start(t, 'examples/zookeeper-nerve.yaml')

  const end = createAll()
  await untilServers(site, 1)

  await untilFrom(site, 'vote.localhost', ['5001'])
  end()
  await untilServers(site, 0)
})

async function start(t: TestContext, file: string): Promise<Stage> {
  const server = await startZookeeper(t)
  const example = await placeExample(t, file, new Map([[2181, server.port]]))
  writeFileSync(example.path, example.withOwnPorts(example.text))
  return {
    example,
    site: await startExample(t, example),
    createAll() {
      const child = spawn(ZKCLI, ['-server', server.endpoint], {
        stdio: ['pipe', 'ignore', 'ignore'],
      })
      t.after(() => child.kill('SIGKILL'))
      child.stdin.write(`${commandsOf(example, 'create ').join('\n')}\n`)
      return () => child.stdin.end('quit\n')
    },
  }
}

/** The lines of the comment that are three columns in and begin so, with the ports of this run. */
function commandsOf({ text, withOwnPorts }: Example, begin: string): readonly string[] {
  return [...withOwnPorts(text).matchAll(/^# {3}(.*)$/gm)]
    .map(([, line = '']) => line)
    .filter((line) => line.startsWith(begin))
}

/** Of a command of ours in a shell, without the name of the program. */
function words(command: string): readonly string[] {
  const found = command.matchAll(/'([^']*)'|(\S+)/g)
  return [...found].map(([, quoted, plain = '']) => quoted ?? plain).slice(1)
}

async function untilServers(site: Site, count: number): Promise<void> {
  await untilTable(
    site.program,
    '?kind=server',
    ({ objects }) => objects.length === count,
    `${count} servers`,
  )
}
