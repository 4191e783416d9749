// Whole tables of hostile objects from three sources; `npm run fuzz` runs many more.
import { test } from 'node:test'
import { runTables } from '../fuzz/judge-tables.ts'

test('no table of hostile objects makes anything throw, and what is in force is whole', () =>
  runTables(1, 400))
