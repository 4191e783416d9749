/** CONTRIBUTING.md and the map in src/README.md name files, folders, commands and rows that exist. */
import assert from 'node:assert/strict'
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
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

test('every name of the code in CONTRIBUTING.md is one', () => {
  const code = globSync('{src,test,bench,config}/**/*.ts', { cwd: root })
    .map((file) => readFileSync(root + file, 'utf8'))
    .join('\n')

  const written = [...text.matchAll(/`([A-Za-z_]+)(?:\(.*?\))?`/g)].map(([, name = '']) => name)
  const names = written.filter((name) => /[a-z][A-Z]|^[A-Z]+_[A-Z_]+$|^[A-Z][a-z]+$/.test(name))

  assert.ok(names.length > 25, `only ${names.length} names`)
  assert.deepEqual(
    names.filter((name) => !new RegExp(`\\b${name}\\b`).test(code)),
    [],
  )
})

test('every path of the admin in CONTRIBUTING.md is on the page of the API', () => {
  const api = readFileSync(`${root}docs/api.md`, 'utf8')

  const paths = [...text.matchAll(/\/api\/[a-z]+/g)].map(([path]) => path)

  assert.ok(paths.length >= 4, `only ${paths.length} paths`)
  assert.deepEqual(
    paths.filter((path) => !api.includes(`GET ${path}\``)),
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
