// needs: named
// DNS updates for dns-01 against a real BIND, which checks their signatures and signs its responses.
import assert from 'node:assert/strict'
import { Resolver } from 'node:dns/promises'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { createDnsRecords } from '../../src/acme/dns/records.ts'
import { updateTxt } from '../../src/acme/dns/update.ts'
import { SYSTEM } from '../../src/acme/orders/world.ts'
import type { DnsUpdateSettings } from '../../src/model/acme-settings.ts'
import { startDaemon, type Owner } from '../support/daemon.ts'
import { choosePort } from '../support/ports.ts'

const SECRET = Buffer.from('a secret of thirty-two bytes ...').toString('base64')
const NAME = '_acme-challenge.www.vote.example'

async function startBind(owner: Owner): Promise<string> {
  const port = await choosePort()
  const server = `127.0.0.1:${port}`
  await startDaemon(owner, {
    command: 'named',
    debianPackage: 'bind9',
    args(folder) {
      mkdirSync(folder, { recursive: true })
      writeFileSync(join(folder, 'vote.zone'), ZONE)
      writeFileSync(join(folder, 'named.conf'), confOf(folder, port))
      return ['-g', '-c', join(folder, 'named.conf')]
    },
    async isReady() {
      const resolver = resolverAt(server)
      return resolver.resolveSoa('vote.example').then(
        () => true,
        () => false,
      )
    },
  })
  return server
}

const ZONE = `$TTL 60
@ IN SOA ns.vote.example. admin.vote.example. 1 60 60 600 60
@ IN NS ns.vote.example.
ns IN A 127.0.0.1
`

function confOf(folder: string, port: number): string {
  const keys = ['sha256', 'sha384', 'sha512'].map(
    (hash) => `key "acme-${hash}" { algorithm hmac-${hash}; secret "${SECRET}"; };`,
  )
  return `
options {
  directory "${folder}"; pid-file none; session-keyfile none; recursion no; dnssec-validation no;
  listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; };
};
controls { };
${keys.join('\n')}
zone "vote.example" {
  type master; file "vote.zone";
  update-policy {
    grant acme-sha256 subdomain vote.example. TXT;
    grant acme-sha384 subdomain vote.example. TXT;
    grant acme-sha512 subdomain vote.example. TXT;
  };
};
`
}

function resolverAt(server: string): Resolver {
  const resolver = new Resolver({ timeout: 1_000, tries: 1 })
  resolver.setServers([server])
  return resolver
}

function settingsFor(server: string, change: Partial<DnsUpdateSettings> = {}): DnsUpdateSettings {
  const key = { name: 'acme-sha256', secret: SECRET, algorithm: 'hmac-sha256' } as const
  return { server, zone: null, key, ttlSeconds: 60, timeoutMs: 5_000, ...change }
}

async function texts(server: string): Promise<readonly string[]> {
  const found = await resolverAt(server)
    .resolveTxt(NAME)
    .catch(() => [])
  return found.map((parts) => parts.join('')).sort()
}

test('adds a record beside others and deletes it alone, with each algorithm, in the zone that is found', async (t) => {
  const server = await startBind(t)

  for (const hash of ['sha256', 'sha384', 'sha512'] as const) {
    const key = { name: `acme-${hash}`, secret: SECRET, algorithm: `hmac-${hash}` } as const
    const settings = settingsFor(server, { key })
    await updateTxt(settings, { action: 'add', name: NAME, value: `${hash}-one` })
    await updateTxt(settings, { action: 'add', name: NAME, value: `${hash}-two` })
    const both = await texts(server)
    await updateTxt(settings, { action: 'delete', name: NAME, value: `${hash}-one` })
    const one = await texts(server)
    await updateTxt(settings, { action: 'delete', name: NAME, value: `${hash}-two` })

    assert.deepEqual([both, one], [[`${hash}-one`, `${hash}-two`], [`${hash}-two`]])
  }
  assert.deepEqual(await texts(server), [])
})

test('says what the server refuses: another secret, an unknown key, a zone that is not there', async (t) => {
  const server = await startBind(t)
  const change = { action: 'add', name: NAME, value: 'x' } as const
  const other = {
    name: 'acme-sha256',
    secret: 'b3RoZXIgc2VjcmV0IG90aGVy',
    algorithm: 'hmac-sha256',
  }
  const unknown = { name: 'nothing', secret: SECRET, algorithm: 'hmac-sha256' }

  for (const [settings, reason] of [
    [{ key: other }, /refuses the update of the zone vote\.example: BADSIG/],
    [{ key: unknown }, /refuses the update of the zone vote\.example: BADKEY/],
    [{ key: null }, /refuses the update of the zone vote\.example: REFUSED/],
    [{ zone: 'result.example' }, /refuses the update of the zone result\.example: NOTAUTH/],
  ] as readonly [Partial<DnsUpdateSettings>, RegExp][]) {
    await assert.rejects(updateTxt(settingsFor(server, settings), change), reason)
  }
  assert.deepEqual(await texts(server), [])
})

test('presents a record once its servers show it, and cleans it up', async (t) => {
  const server = await startBind(t)
  const warnings: string[] = []
  const records = createDnsRecords(
    {
      way: { kind: 'rfc2136', ...settingsFor(server) },
      propagation: { timeoutMs: 10_000, delayMs: 0, servers: [server] },
    },
    SYSTEM,
    (text) => warnings.push(text),
  )

  await records.present(NAME, 'value', new AbortController().signal)
  const shown = await texts(server)
  await records.cleanup(NAME, 'value')

  assert.deepEqual([shown, await texts(server), warnings], [['value'], [], []])
})
