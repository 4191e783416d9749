import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ListenerState } from '../../src/observe/reports/listener-report.ts'
import { createListening } from '../../src/process/listening.ts'

const TAKEN = 'cannot listen on 127.0.0.1:80 (listener "web"): the port is in use'

function open(): {
  readonly listening: ReturnType<typeof createListening>
  readonly logged: string[]
  at(ms: number): void
} {
  const logged: string[] = []
  let time = 0
  const log =
    (level: string) =>
    (_fields: object, message: string): void =>
      void logged.push(`${level}: ${message}`)
  const listening = createListening(
    { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
    () => time,
  )
  return { listening, logged, at: (ms) => void (time = ms) }
}

function good(id: string): ListenerState {
  return { id, at: '127.0.0.1:80', reason: null, nextTryAt: null }
}

function bad(id: string, nextTryAt: number, at: string | null = null): ListenerState {
  return { id, at, reason: TAKEN, nextTryAt }
}

test('a listener listens when it does in every thread', () => {
  const { listening, at } = open()
  at(10)
  listening.note(0, [good('web')])
  listening.note(1, [bad('web', 1010)])
  at(20)
  listening.note(1, [bad('web', 1020)])

  assert.deepEqual(listening.reports(), [
    {
      ...{ id: 'web', listening: false, at: '127.0.0.1:80', reason: TAKEN, since: 10 },
      ...{ nextTryAt: 1020, threads: { listening: 1, of: 2 } },
    },
  ])

  at(30)
  listening.note(1, [good('web')])

  assert.deepEqual(listening.reports(), [
    {
      ...{ id: 'web', listening: true, at: '127.0.0.1:80', reason: null, since: 30 },
      ...{ nextTryAt: null, threads: { listening: 2, of: 2 } },
    },
  ])
})

test('what fails in all threads and is tried for ever is logged once, and once when it ends', () => {
  const { listening, logged } = open()

  for (let tries = 0; tries < 5; tries++) {
    for (const thread of [0, 1]) listening.note(thread, [bad('web', tries), good('other')])
  }
  for (const thread of [0, 1]) listening.note(thread, [good('web'), good('other')])

  assert.deepEqual(logged, [`error: ${TAKEN}`, 'info: listener "web" listens as declared now'])
})

test('a listener is gone with its last thread, and a thread that ended says nothing more', () => {
  const { listening } = open()
  listening.note(0, [good('web')])
  listening.note(1, [bad('web', 1), good('old')])

  listening.forget(1)

  assert.deepEqual(
    listening.reports().map(({ id, listening, threads }) => [id, listening, threads.of]),
    [['web', true, 1]],
  )
})
