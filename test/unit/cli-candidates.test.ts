import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  candidateLines,
  type Candidates,
  findCandidates,
  type IdsWanted,
} from '../../src/cli/line/candidates.ts'
import { firstWords } from '../../src/cli/line/catalog.ts'
import { completionScript } from '../../src/cli/line/shells.ts'

const IDS = ['vote', 'vote-2', 'shop', '$(reboot)', 'two words']

async function complete(...words: readonly string[]): Promise<string[]> {
  const { words: found } = await findCandidates(words, () => Promise.resolve(IDS))
  return found.map(({ word }) => word)
}

async function kindOf(...words: readonly string[]): Promise<Candidates['kind']> {
  return (await findCandidates(words, () => Promise.resolve(IDS))).kind
}

test('completes commands, commands of a group, and topics of help', async () => {
  assert.deepEqual((await complete('')).toSorted(), firstWords().toSorted())
  assert.deepEqual(await complete('ba'), ['backend'])
  assert.deepEqual(await complete('backend', ''), ['ls', 'show', 'upsert', 'rm'])
  assert.deepEqual(await complete('log', 's'), ['set_severity'])
  assert.deepEqual(await complete('help', 'ser'), ['serve', 'server'])
  assert.deepEqual(await complete('nothing', ''), [])
  assert.deepEqual(await complete('backend', 'nothing', ''), [])
})

test('completes flags that are not there yet, and those that may be repeated', async () => {
  assert.deepEqual(await complete('put', '--'), [
    ...['--ttl', '--expect', '--source', '--config', '--data', '--help'],
  ])
  assert.deepEqual(await complete('get', '--data', '/x', '--da'), [])
  assert.deepEqual(await complete('bench', 'http://a/', '--header', 'A: 1', '--he'), [
    ...['--header', '--help'],
  ])
  assert.deepEqual(await complete('backend', 'show', ''), [
    ...['--id', '--json', '--vulcan', '--ca', '--config', '--admin-address', '--help'],
  ])
})

test('completes behind a --vulcan that stands before the command', async () => {
  const asked: IdsWanted[] = []
  const ids = (wanted: IdsWanted): Promise<readonly string[]> => {
    asked.push(wanted)
    return Promise.resolve(IDS)
  }
  const url = ['--vulcan', 'http://127.0.0.1:1']
  assert.deepEqual(await complete(...url, 'fro'), ['frontend'])
  assert.deepEqual(await complete('-vulcan=http://127.0.0.1:1', 'frontend', 's'), ['show'])
  const { words } = await findCandidates([...url, 'frontend', 'show', '-id', 'sh'], ids)
  assert.deepEqual(words, [{ word: 'shop', text: '' }])
  assert.equal(asked[0]?.flags['vulcan'], 'http://127.0.0.1:1')
})

test('completes values: words, files, folders, kinds and ids', async () => {
  assert.deepEqual(await complete('serve', '--log-access', 'co'), ['common', 'combined'])
  assert.deepEqual(await complete('serve', '--log-level=d'), ['--log-level=debug'])
  assert.deepEqual(await complete('completion', ''), ['bash', 'zsh', 'fish'])
  assert.equal(await kindOf('serve', '--config', ''), 'files')
  assert.equal(await kindOf('serve', '--data=', ''), 'words')
  assert.equal(await kindOf('serve', '--data', ''), 'folders')
  assert.equal(await kindOf('check', ''), 'files')
  assert.deepEqual(await complete('get', 'fr'), ['frontend'])
  assert.deepEqual(await complete('get', 'frontend', 'vo'), ['vote', 'vote-2'])
  assert.deepEqual(await complete('get', 'nothing', 'vo'), [])
  assert.deepEqual(await complete('drain', 's'), ['shop'])
  assert.deepEqual(await complete('frontend', 'upsert', '-b', 'sh'), ['shop'])
  assert.deepEqual(await complete('frontend', 'upsert', '-b=sh'), ['-b=shop'])
})

test('offers no id that a shell would take for more than a word', async () => {
  assert.deepEqual(await complete('backend', 'show', '--id', ''), ['vote', 'vote-2', 'shop'])
})

test('asks for the ids of the kind, with what the line says of their owner and of Sluice', async () => {
  const asked: IdsWanted[] = []
  const note = (wanted: IdsWanted): Promise<readonly string[]> => {
    asked.push(wanted)
    return Promise.resolve([])
  }

  await findCandidates(['server', 'rm', '-b', 'vote', '--vulcan=http://a', '-id', ''], note)
  await findCandidates(['delete', 'server', ''], note)
  await findCandidates(['backend', ''], note)

  assert.deepEqual(asked, [
    { kind: 'server', isPart: true, flags: { backend: 'vote', vulcan: 'http://a' } },
    { kind: 'server', isPart: false, flags: {} },
  ])
})

test('a line for a shell says what to complete, then words with their texts', async () => {
  const { words } = await findCandidates(['put', '--tt'], () => Promise.resolve([]))

  assert.deepEqual(candidateLines({ kind: 'words', words }), [
    ':words',
    '--ttl\tthe object expires unless it is put again: 10s, 500ms',
  ])
  assert.deepEqual(candidateLines({ kind: 'files', words: [] }), [':files'])
})

test('no words make it throw, and what it offers begins with the last one', async () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom(...['backend', 'show', '--id', '-b=', '--', '-', 'get', 'server', '--config']),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(word, { maxLength: 5 }), async (words) => {
      for (const found of await complete(...words)) {
        assert.ok(found.startsWith(words.at(-1) ?? ''))
        assert.doesNotMatch(found, /[\s;|$`]/)
      }
    }),
  )
})

test('the scripts have the parameters of a shell, not the marks of their templates', () => {
  for (const shell of ['bash', 'zsh', 'fish'] as const) {
    const script = completionScript(shell)
    assert.match(script, /__complete/)
    assert.doesNotMatch(script, /@\{/)
  }
})
