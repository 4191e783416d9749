// Every relative link of the repository's pages leads to a file, and to a heading of it.
import assert from 'node:assert/strict'
import { existsSync, globSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { test } from 'node:test'
import { headingsOf, readPage, ROOT, toAnchor } from '../support/docs.ts'

const PAGES = globSync('{*.md,{docs,src,bench,test,demo,scripts,config}/**/*.md}', { cwd: ROOT })

for (const page of PAGES.sort()) {
  test(`${page}: every link leads somewhere`, () => {
    const text = readPage(page).replace(/^```[\s\S]*?^```$/gm, '')
    for (const [, link = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:\/\//.test(link)) {
        assert.doesNotMatch(page, /^docs\//, `${link}: links of docs stay within the repository`)
        continue
      }
      assert.doesNotMatch(link, /^\w+:|^\//, link)
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? page : normalize(join(dirname(page), path))
      assert.ok(existsSync(join(ROOT, target)), `${link}: there is no ${target}`)
      if (anchor === undefined) continue
      assert.ok(statSync(join(ROOT, target)).isFile() && target.endsWith('.md'), link)
      const anchors = headingsOf(readPage(target)).map(toAnchor)
      assert.ok(anchors.includes(anchor), `${link}: ${target} has no such heading`)
    }
  })
}
