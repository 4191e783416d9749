/** `npm run man`: writes man/sluice.1, and the tables of docs/cli.md, anew. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { withCommandTables } from '../src/cli/line/docs.ts'
import { manualText } from '../src/cli/line/manual.ts'
import { versionNumber } from '../src/cli/runtime.ts'

const page = new URL('../docs/cli.md', import.meta.url)
mkdirSync(new URL('../man', import.meta.url), { recursive: true })
writeFileSync(new URL('../man/sluice.1', import.meta.url), manualText(versionNumber()))
writeFileSync(page, withCommandTables(readFileSync(page, 'utf8')))
