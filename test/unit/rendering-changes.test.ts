/** Which templates a change of keys is rendered for. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TemplateSettings } from '../../src/model/template-settings.ts'
import { createRendering } from '../../src/rendering/rendering.ts'
import { resolverSchema } from '../../src/schema/resolver.ts'
import { makeFolder } from '../support/program.ts'
import { eventually } from '../support/until.ts'

const NO_NAMES = {
  addressesOf: () => Promise.reject(new Error('no name is asked for here')),
  hold() {},
  release() {},
  listen: () => () => {},
}

test('of many templates, those are rendered again that read a changed key', async (t) => {
  const folder = makeFolder(t)
  const path = join(folder, 'keys.json')
  const names = Array.from({ length: 20 }, (_, index) => `n${index}`)
  const last = names.length - 1
  const write = (texts: Readonly<Record<string, string>>): void =>
    writeFileSync(path, JSON.stringify({ app: texts }))
  const first = Object.fromEntries(names.map((name) => [name, 'one']))
  write({ ...first, gone: 'x' })
  const toSettings = (name: string, read: readonly string[]): TemplateSettings => ({
    ...{ name, text: { inline: `{{range gets "/*"}}{{.Key}}={{.Value}} {{end}}` } },
    ...{ dest: join(folder, name), mode: null, uid: null, gid: null },
    keys: { source: { kind: 'files', paths: [path] }, prefix: '/app', read },
    ...{ check: null, reload: null, timeoutMs: 10_000, settleMs: 0, minIntervalMs: 0 },
    ...{ intervalMs: null, keepStage: false, noop: false, syncOnly: false },
  })
  const quiet = (): void => {}
  const rendering = createRendering({
    templates: [
      ...names.map((name) => toSettings(name, [`/app/${name}`])),
      toSettings('all', ['/app']),
    ],
    ...{ table: null, resolver: NO_NAMES, resolverSettings: resolverSchema.parse(undefined) },
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
  })
  t.after(() => rendering.stop())
  const rendersOf = (): readonly number[] => rendering.reports().map(({ renders }) => renders)
  rendering.start()
  await eventually(() => rendering.reports().every(({ state }) => state === 'current'), 'all')
  const before = rendersOf()

  write({ ...first, n3: 'two', [`n${last}`]: 'two', new: 'x' })
  // Texts are made one after the other, in the order of the templates.
  await eventually(() => readFileSync(join(folder, 'all'), 'utf8').includes('/new=x'), 'the change')
  // A file is counted after it is there.
  const again = await eventually(() => {
    const counts = rendersOf().map((count, index) => count - (before[index] ?? 0))
    return counts.reduce((sum, count) => sum + count) >= 3 ? counts : null
  }, 'three renderings')

  assert.deepEqual(
    again,
    [...names, 'all'].map((name) => (['n3', `n${last}`, 'all'].includes(name) ? 1 : 0)),
  )
  assert.ok(!readFileSync(join(folder, 'all'), 'utf8').includes('gone'))
  assert.equal(readFileSync(join(folder, 'n3'), 'utf8'), '/n3=two ')
})
