/** CONTRIBUTING.md and the map in src/README.md name files, folders, commands and rows that exist. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))
const text = readFileSync(`${root}CONTRIBUTING.md`, 'utf8')

test('every path of CONTRIBUTING.md exists', () => {
  const named = [...text.matchAll(/`((?:src|test|docs|config|bench|scripts)\/[^`\s]*)`/g)]
  const paths = named.map(([, path = '']) => path).filter((path) => !/NAME|KIND/.test(path))

  assert.ok(paths.length > 40, `only ${paths.length} paths`)
  assert.deepEqual(
    paths.filter((path) => !existsSync(root + path)),
    [],
  )
})

test('every script that CONTRIBUTING.md runs is one of package.json', () => {
  const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as {
    scripts: Record<string, string>
  }

  const run = [...text.matchAll(/npm (?:run )?([a-z:]+)/g)].map(([, name = '']) => name)

  assert.ok(run.length > 10, `only ${run.length} scripts`)
  assert.deepEqual(
    run.filter((name) => !(name in scripts) && name !== 'package'),
    [],
  )
})

test('every folder of src is in the map', () => {
  const [, map = ''] = /## The map\n([\s\S]*?)\n## /.exec(text) ?? []

  const folders = readdirSync(`${root}src`, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `src/${name}`)

  assert.deepEqual(
    folders.filter((folder) => !map.includes(`\`${folder}\``)),
    [],
  )
})
