/**
 * The accounts at the issuers, one each for all instances. The key is in the registry before the issuer hears of it, so that a
 * program that dies in between finds its account again.
 */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import type { AcmeIssuer } from '../../model/acme-settings.ts'
import { StoreConflict } from '../../providers/store.ts'
import { createAccountKey } from '../protocol/account-key.ts'
import type { AcmeClient, AcmeClientOptions } from '../protocol/client.ts'
import { AcmeError } from '../protocol/acme-error.ts'
import { accountName, type AccountRecord } from '../storage/records.ts'
import type { RecordStore, Stored } from '../storage/record-store.ts'

export interface Account {
  readonly client: AcmeClient
  readonly key: KeyObject
}

export type OpenClient = (options: AcmeClientOptions) => Promise<AcmeClient>

export interface Issuers {
  /** Calls with an account, which is registered first if there is none; again with a new one if the issuer has forgotten it. */
  with<T>(issuer: AcmeIssuer, act: (account: Account) => Promise<T>): Promise<T>
  close(): void
}

export function createIssuers(
  store: RecordStore,
  email: string | null,
  openClient: OpenClient,
  signal: AbortSignal,
  warn: (text: string) => void,
): Issuers {
  const accounts = new Map<string, Promise<Account>>()

  async function open(issuer: AcmeIssuer): Promise<Account> {
    const { directory, ca, externalAccount } = issuer
    const name = accountName(issuer)
    const stored = (await store.read('accounts', name)) ?? (await create(name, directory))
    const key = createPrivateKey(stored.record.key)
    const accountUrl = stored.record.url
    const client = await openClient({
      ...{ directoryUrl: directory, accountKey: key, accountUrl, ca, signal },
    })
    if (accountUrl !== null) {
      await reportEmail(name, stored, client)
      return { client, key }
    }
    try {
      const { accountUrl: url } = await client.register({ email, externalAccount })
      await keep(name, { ...stored.record, url, email }, stored.revision)
      return { client, key }
    } catch (error) {
      client.close()
      throw error
    }
  }

  /** Another address in the settings. It keeps no order from being made, and is tried again after the next start. */
  async function reportEmail(
    name: string,
    { record, revision }: Stored<AccountRecord>,
    client: AcmeClient,
  ): Promise<void> {
    if (record.email === email) return
    try {
      await client.changeEmail(email)
      await keep(name, { ...record, email }, revision)
    } catch (error) {
      if (signal.aborted || !(error instanceof AcmeError)) throw error
      if (error.type === 'accountDoesNotExist') return
      warn(error.message)
    }
  }

  async function create(name: string, directory: string): Promise<Stored<AccountRecord>> {
    const key = createAccountKey().export({ type: 'pkcs8', format: 'pem' }).toString()
    try {
      return await store.write('accounts', name, { directory, key, url: null }, null)
    } catch (error) {
      if (!(error instanceof StoreConflict)) throw error
    }
    const other = await store.read('accounts', name)
    if (other === null) throw new Error(`the account at ${directory} was deleted meanwhile`)
    return other
  }

  /** Another instance that registered the same key at the same time has the same account. */
  async function keep(name: string, record: AccountRecord, revision: string): Promise<void> {
    try {
      await store.write('accounts', name, record, revision)
    } catch (error) {
      if (!(error instanceof StoreConflict)) throw error
    }
  }

  function accountAt(issuer: AcmeIssuer): Promise<Account> {
    const { directory } = issuer
    const known = accounts.get(directory)
    if (known !== undefined) return known
    const opening = open(issuer)
    accounts.set(directory, opening)
    opening.catch(() => accounts.delete(directory))
    return opening
  }

  async function forget(issuer: AcmeIssuer): Promise<void> {
    const name = accountName(issuer)
    accounts.delete(issuer.directory)
    const stored = await store.read('accounts', name)
    if (stored !== null) await keep(name, { ...stored.record, url: null }, stored.revision)
  }

  return {
    async with(issuer, act) {
      try {
        return await act(await accountAt(issuer))
      } catch (error) {
        if (!(error instanceof AcmeError) || error.type !== 'accountDoesNotExist') throw error
      }
      await forget(issuer)
      return act(await accountAt(issuer))
    },
    close() {
      for (const opening of accounts.values()) {
        opening.then(({ client }) => client.close()).catch(() => {})
      }
      accounts.clear()
    },
  }
}
