// Issue: "the migration page: each statement true by a test or a command": the tables of flags are those of the programs.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IMPORT_FLAGS } from '../../src/cli/import/words.ts'
import { VULCAND_FLAGS } from '../../src/cli/vulcand/flags.ts'
import { codesIn, readPage, sectionOf } from '../support/docs.ts'

const PAGE = readPage('docs/migrating/vulcand.md').replace(/^```[\s\S]*?^```$/gm, '')

test('the migration page has every flag of the program vulcand, and no other', () => {
  const section = sectionOf(PAGE, '## The program vulcand')
  const named = codesIn(section).flatMap((code) => /^-([A-Za-z][A-Za-z-]*)/.exec(code)?.[1] ?? [])

  const known = Object.keys(VULCAND_FLAGS)
  assert.deepEqual(
    known.filter((name) => !named.includes(name)),
    [],
  )
  assert.deepEqual(
    named.filter((name) => !known.includes(name) && name !== 'x'),
    [],
  )
})

test('the migration page has every flag of sluice import, and no other', () => {
  const section = sectionOf(PAGE, '## sluice import vulcand')
  const named = codesIn(section).flatMap((code) => /^--([a-z-]+)/.exec(code)?.[1] ?? [])

  const known = Object.keys(IMPORT_FLAGS)
  assert.deepEqual([...new Set(named)].sort(), known.toSorted())
})
