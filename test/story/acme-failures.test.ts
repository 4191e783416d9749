// needs: pebble, curl
// What goes wrong with certificates on order is one line, and the certificate in force goes on serving.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { connect } from 'node:tls'
import { startPebble } from '../support/pebble.ts'
import { choosePort } from '../support/ports.ts'
import { isRunning } from '../support/processes.ts'
import { makeFolder, startProgram } from '../support/program.ts'
import { eventually } from '../support/until.ts'

interface Problem {
  readonly id: string
  readonly level: string
  readonly message: string
}

/** The serial of the certificate that a client verified; null: it could not. */
async function serialAt(port: number, servername: string, ca: string): Promise<string | null> {
  const socket = connect({ host: '127.0.0.1', port, servername, ca })
  try {
    await once(socket, 'secureConnect')
    return socket.getPeerCertificate().serialNumber
  } catch {
    return null
  } finally {
    socket.destroy()
  }
}

/** Sets records of pebble's resolver; `present` hangs with a process of its own once there is a file `hang`. */
function hookOf(records: string, folder: string): string {
  return `#!/bin/sh
if [ "$1" = present ] && [ -e '${folder}/hang' ]; then
  sleep 1000 &
  echo $! > '${folder}/pid'
  echo waiting for DNS >&2
  wait
fi
path=clear-txt
[ "$1" = present ] && path=set-txt
exec curl -sf -d "{\\"host\\":\\"$2.\\",\\"value\\":\\"$3\\"}" "${records}/$path"
`
}

test('a hook that hangs at a renewal is ended and named, and the certificate before it serves', async (t) => {
  const secure = await choosePort()
  const pebble = await startPebble(t, { validitySeconds: 150 })
  const root = await pebble.root()
  const folder = makeFolder(t)
  const hook = join(folder, 'hook')
  writeFileSync(hook, hookOf(pebble.recordsUrl, folder))
  chmodSync(hook, 0o700)
  const program = await startProgram(t, {
    acme: {
      agree: true,
      issuers: [{ directory: pebble.directoryUrl, caFile: pebble.ca }],
      dns: { hook: [hook], hookTimeout: '4s' },
      // A quarter of a minute.
      renewAt: 0.1,
    },
    listeners: { secure: { address: `127.0.0.1:${secure}`, protocol: 'https' } },
    frontends: { any: { route: 'Host("*.vote.example")', respond: { status: 200 } } },
  })
  const serial = (): Promise<string | null> => serialAt(secure, 'any.vote.example', root)
  const problems = async (): Promise<readonly Problem[]> => {
    const { text } = await program.ask('/api/table')
    return (JSON.parse(text) as { readonly problems: readonly Problem[] }).problems
  }

  await eventually(serial, 'the first certificate is there', 60_000)
  writeFileSync(join(folder, 'hang'), '')
  await eventually(() => existsSync(join(folder, 'pid')), 'the renewal is at its hook', 120_000)
  const current = await serial()
  const found = await eventually(
    async () => {
      // A certificate of minutes is a warning, too.
      const now = (await problems()).filter(({ message }) => !message.endsWith('; renew it'))
      return now.length > 0 ? now : null
    },
    'the renewal fails',
    60_000,
  )

  const [problem, ...more] = found
  assert.deepEqual([more, problem?.id], [[], '*.vote.example'])
  assert.match(
    problem?.message ?? '',
    /^no certificate from 127\.0\.0\.1, tried once: cannot set the TXT record _acme-challenge\.vote\.example: the hook ".*hook" failed \(present\): it did not end within 4 s: waiting for DNS; it is tried again at 20\d\d-\d\d-\d\d \d\d:\d\d UTC$/,
  )
  const pid = readFileSync(join(folder, 'pid'), 'utf8').trim()
  await eventually(() => !isRunning(pid), 'what the hook started has ended')
  await eventually(() => program.log().some(({ msg }) => msg.includes('did not end')), 'the log')
  assert.equal(program.log().filter(({ msg }) => msg.includes('did not end')).length, 1)
  assert.ok(current !== null, 'it serves while the hook hangs')
  assert.equal(await serial(), current)
})

test('names that no issuer signs are one line each, and nothing is ordered for them', async (t) => {
  const names = ['localhost', '127.0.0.1', 'vote.local', 'vote']
  const [web, secure] = await Promise.all([choosePort(), choosePort()])
  // With the issuer that is the default: it must not be called.
  const program = await startProgram(t, {
    acme: { agree: true },
    listeners: {
      web: { address: `127.0.0.1:${web}` },
      secure: { address: `127.0.0.1:${secure}`, protocol: 'https' },
    },
    frontends: Object.fromEntries(
      names.map((name, at) => [`f${at}`, { route: `Host("${name}")`, respond: { status: 200 } }]),
    ),
  })

  const found = await eventually(async () => {
    const { text } = await program.ask('/api/table')
    const { problems } = JSON.parse(text) as { readonly problems: readonly Problem[] }
    return problems.length >= names.length ? problems : null
  }, 'each name is a problem')

  assert.deepEqual(found.map(({ id, message }) => `${id}: ${message}`).sort(), [
    '127.0.0.1: no certificate is ordered for it: no public issuer signs an address of a private network',
    'localhost: no certificate is ordered for it: no public issuer signs a name of one label',
    'vote.local: no certificate is ordered for it: no public issuer signs names below .local',
    'vote: no certificate is ordered for it: no public issuer signs a name of one label',
  ])
  const { text } = await program.ask('/metrics')
  assert.match(text, /sluice_acme_names\{state="not-ordered"\} 4/)
  assert.doesNotMatch(text, /^sluice_acme_orders_total\{.*\} [1-9]/m)
  const listed = await program.ask('/api/certificates')
  assert.equal(listed.text.match(/"state":"not-ordered"/g)?.length, names.length)
})
