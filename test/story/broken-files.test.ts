// Issue: "/api/providers names the file of a directory that is broken".
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { choosePort } from '../support/ports.ts'
import { makeFolder, startProgram, type Program } from '../support/program.ts'
import { reportOf } from '../support/sources.ts'

async function untilError(program: Program, source: string, pattern: RegExp): Promise<string> {
  const deadline = performance.now() + 10_000
  for (;;) {
    const { error } = await reportOf(program, source)
    if (pattern.test(error ?? 'none')) return error ?? 'none'
    assert.ok(performance.now() < deadline, `${source}: ${error}`)
  }
}

test('a file of a directory that cannot be read is named, with its line and the reason', async (t) => {
  const folder = makeFolder(t)
  const teams = join(folder, 'teams')
  mkdirSync(teams)
  const good = `frontends: { a: { route: 'Path("/a")', respond: { status: 200 } } }\n`
  writeFileSync(join(teams, 'a.yaml'), good)
  for (const name of ['b', 'c', 'd', 'e']) writeFileSync(join(teams, `${name}.yaml`), '{}\n')
  const program = await startProgram(
    t,
    {
      workers: 1,
      listeners: { web: { address: `127.0.0.1:${await choosePort()}` } },
      sources: { teams: { kind: 'files', directory: 'teams' } },
    },
    { folder },
  )
  assert.equal((await reportOf(program, 'teams')).error, null)

  writeFileSync(join(teams, 'b.yaml'), 'frontends:\n  b: [}\n')
  const one = await untilError(program, 'teams', /b\.yaml/)
  for (const name of ['c', 'd', 'e']) writeFileSync(join(teams, `${name}.yaml`), '[1]\n')
  const many = await untilError(program, 'teams', /and 1 more$/)
  for (const name of ['b', 'c', 'd', 'e']) writeFileSync(join(teams, `${name}.yaml`), '{}\n')
  await untilError(program, 'teams', /^none$/)

  assert.match(one, /^\S*b\.yaml: is not valid YAML: .* \(line 2, column \d+\)$/)
  assert.match(many, /b\.yaml: .*; \S*c\.yaml: must be a map .*; \S*d\.yaml: .*; and 1 more$/)
})

test('a main file that cannot be read while it runs is named, too', async (t) => {
  const web = { address: `127.0.0.1:${await choosePort()}` }
  const program = await startProgram(t, { workers: 1, listeners: { web } })

  writeFileSync(program.config, '{ "listeners": \n')
  const error = await untilError(program, 'file', /sluice\.json/)
  program.write({ workers: 1, listeners: { web } })
  await untilError(program, 'file', /^none$/)

  assert.match(error, /sluice\.json: is not valid JSON: /)
})
