/** docs/agent.md, config/agent.yaml and config/agent-schema.json are what the parser of an agent's file says. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { AGENT_SCHEMA, AGENT_TABLES } from '../../src/agent/config/own-file.ts'
import { readAgentConfig, type ReadConfig } from '../../src/agent/config/read-config.ts'
import { metricsText } from '../../src/agent/status.ts'
import { schemaText } from '../../src/schema/json-schema.ts'
import { tablesOn } from '../../config/options-tables.ts'
import { blocksOf, readPage, ROOT } from '../support/docs.ts'
import { makeFolder } from '../support/program.ts'

const PAGE = readPage('docs/agent.md')
const world = { env: {}, hostname: 'host', hostAddress: '10.0.0.1', withContainers: false }

function read(t: TestContext, text: string): ReadConfig {
  const file = join(makeFolder(t), 'agent.yaml')
  writeFileSync(file, text)
  return readAgentConfig(file, world)
}

test('the files on the page are valid', (t) => {
  const blocks = blocksOf(PAGE, 'yaml')

  assert.ok(blocks.length > 0)
  for (const block of blocks) assert.deepEqual(read(t, block).ok, true, block)
})

test('the shipped example is valid, and runs as it is', () => {
  const result = readAgentConfig(join(ROOT, 'config/agent.yaml'), world)

  assert.ok(result.ok, JSON.stringify(result))
  assert.deepEqual(
    result.config.services.map(({ name, checks }) => [name, checks.length]),
    [
      ['web', 1],
      ['cache', 1],
      ['jobs', 2],
    ],
  )
})

test('config/agent-schema.json is what npm run schema makes of the parser', () => {
  const text = readFileSync(join(ROOT, 'config/agent-schema.json'), 'utf8')

  assert.ok(text === schemaText(AGENT_SCHEMA), 'it is out of date: run npm run schema')
})

test('the page has the table of each part, once', () => {
  assert.deepEqual(tablesOn(PAGE).toSorted(), AGENT_TABLES.map(([name]) => name).toSorted())
})

test('the page has every metric, and no other', async () => {
  const report = { services: [], registries: [], containers: [] }
  const families = [...(await metricsText(report)).matchAll(/^# TYPE (\S+) /gm)].map(
    ([, name = '']) => name,
  )

  const onPage = [...PAGE.matchAll(/^\| `(sluice_agent_\w+)/gm)].map(([, name = '']) => name)

  assert.deepEqual(onPage.toSorted(), families.toSorted())
})
