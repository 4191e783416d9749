/** A place for an embedded store, and what a configuration would say of it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { StoreSource } from '../../src/providers/embedded/source.ts'

/** In a folder that is not there yet, in one that goes with the test. */
export function openStorePath(t: TestContext, root: string = tmpdir()): string {
  const folder = mkdtempSync(join(root, 'sluice-store-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'data', 'store.db')
}

export function storeSource(path: string): StoreSource {
  return {
    kind: 'store',
    name: 'store',
    required: false,
    shrink: { holdMs: 10_000, share: 0.5, allowEmpty: false },
    path,
  }
}
