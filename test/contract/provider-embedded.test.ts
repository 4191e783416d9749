/** The embedded store under the contract of all registries; what is written past our code is written with SQLite alone. */
import { DatabaseSync } from 'node:sqlite'
import {
  createEmbeddedProvider,
  openEmbeddedKeyStore,
} from '../../src/providers/embedded/embedded-provider.ts'
import { createSluiceLayout } from '../../src/providers/layouts/native/layout.ts'
import { openStorePath, storeSource } from '../support/embedded.ts'
import { testRegistryExpiry, type ExpiringRegistryUnderTest } from './registry-expiry-suite.ts'
import { testRegistry, type OpenRegistry } from './registry-suite.ts'
import { testSealedValues } from './sealed-suite.ts'

const open: OpenRegistry<ExpiringRegistryUnderTest> = async (t, reconcileMs) => {
  const path = openStorePath(t)
  const keys = await openEmbeddedKeyStore(path)
  t.after(() => keys.close())
  return {
    provider: createEmbeddedProvider(
      storeSource(path),
      createSluiceLayout(),
      reconcileMs === undefined ? {} : { reconcileMs },
    ),
    keys,
    expiry: { ttlMs: 100, lateMs: 600 },
    async put(suffix, value) {
      // So that there is a file.
      await keys.put('none', '', {})
      const database = new DatabaseSync(path, { timeout: 5_000 })
      try {
        database.exec('BEGIN IMMEDIATE; UPDATE store SET revision = revision + 1')
        database
          .prepare(
            `INSERT INTO keys SELECT ?, CAST(? AS TEXT), revision, NULL FROM store WHERE true
             ON CONFLICT (path) DO UPDATE SET value = excluded.value, revision = excluded.revision`,
          )
          .run(suffix.slice(1), value)
        database.exec('COMMIT')
      } finally {
        database.close()
      }
    },
  }
}

testRegistry('the embedded store', open)
testRegistryExpiry('the embedded store', open)

testSealedValues('the embedded store', async (t, layout) => {
  const path = openStorePath(t)
  const keys = await openEmbeddedKeyStore(path)
  t.after(() => keys.close())
  return { provider: createEmbeddedProvider(storeSource(path), layout), keys }
})
