/** `npm run schema`: writes config/schema.json, config/agent-schema.json, and the tables of options in docs/, anew. */
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { AGENT_SCHEMA } from '../src/agent/config/own-file.ts'
import { jsonSchemaText, schemaText } from '../src/schema/json-schema.ts'
import { optionsTables, withTables } from './options-tables.ts'

writeFileSync(new URL('./schema.json', import.meta.url), jsonSchemaText())
writeFileSync(new URL('./agent-schema.json', import.meta.url), schemaText(AGENT_SCHEMA))

const docs = fileURLToPath(new URL('../docs/', import.meta.url))
const tables = optionsTables()
for (const name of globSync('**/*.md', { cwd: docs })) {
  const page = readFileSync(docs + name, 'utf8')
  const written = withTables(page, tables)
  if (written !== page) writeFileSync(docs + name, written)
}
