/** `npm run schema`: writes config/schema.json anew. */
import { writeFileSync } from 'node:fs'
import { jsonSchemaText } from '../src/schema/json-schema.ts'

writeFileSync(new URL('./schema.json', import.meta.url), jsonSchemaText())
