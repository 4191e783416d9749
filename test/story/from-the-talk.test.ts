// needs: consul, curl, jq, prometheus, prometheus-alertmanager
// Issue 12: "The talk, today ... with commands that a test runs". What needs no engine; the rest is in test/docker/talk.ts.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { consulCommand } from '../support/consul.ts'
import { readPage, sectionOf, stepsOf } from '../support/docs.ts'
import { adjacentPorts, choosePort } from '../support/ports.ts'
import { follow, openTerminal } from '../support/terminal.ts'

test('the step with Consul prints what the page says', async (t) => {
  const [web, admin, first, second] = [
    await choosePort(),
    await choosePort(),
    await choosePort(),
    await choosePort(),
  ]
  const [http, server, lan, wan] = [
    await choosePort(),
    await choosePort(),
    await choosePort(),
    await choosePort(),
  ]
  const own = `-http-port ${http} -dns-port -1 -grpc-port -1 -server-port ${server} -serf-lan-port ${lan} -serf-wan-port ${wan}`
  const consul = `case $1 in agent) shift; exec ${consulCommand()} agent ${own} "$@" ;; *) exec ${consulCommand()} "$@" ;; esac`
  const terminal = openTerminal(t, {
    ports: { 8080: web, 8182: admin, 5001: first, 5002: second, 8500: http },
    env: {
      CONSUL_HTTP_ADDR: `127.0.0.1:${http}`,
      SLUICE_ADMIN_ADDRESS: `127.0.0.1:${admin}`,
    },
    commands: { consul },
  })
  const example = join(terminal.folder, 'config/examples/consul.yaml')
  writeFileSync(example, terminal.withOwnPorts(readFileSync(example, 'utf8')))
  const section = sectionOf(readPage('docs/from-the-talk.md'), '## 5. Consul')

  // The page goes on with Consul and the servers.
  const end = { commands: 'kill %1 %2 %3\n', printed: null }
  await follow(terminal, [...stepsOf(section), end])
})

test('the step that scales prints what the page says, with a real Prometheus and Alertmanager', async (t) => {
  const [web, admin] = [await choosePort(), await choosePort()]
  const [first = 0, second = 0, third = 0] = await adjacentPorts(3)
  const [prometheus, alertmanager] = [await choosePort(), await choosePort()]
  const servers = { 5001: first, 5002: second, 5003: third }
  const terminal = openTerminal(t, {
    ports: { 8080: web, 8182: admin, 9090: prometheus, 9093: alertmanager, ...servers },
    env: { SLUICE_ADMIN_ADDRESS: `127.0.0.1:${admin}` },
  })
  const section = sectionOf(readPage('docs/from-the-talk.md'), '## 7. It scales by itself')

  await follow(terminal, stepsOf(section), 240_000)
})
