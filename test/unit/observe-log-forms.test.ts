// Issue: "process title, signals, exit codes": lines of the log in the forms that readers of vulcand's log expect.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLog } from '../../src/observe/log.ts'
import type { LogForm } from '../../src/observe/log-forms.ts'

function written(form: LogForm): string {
  let text = ''
  const log = createLog('info', { write: (line) => (text += String(line)) }, form)
  log.warn({ port: 8181, err: new Error('no such host') }, 'a "name"')
  return text.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/, 'NOW')
}

test('console is the text form of logrus', () => {
  assert.equal(
    written('console'),
    'time="NOW" level=warning msg="a \\"name\\"" port=8181 err="no such host"\n',
  )
})

test('json has the names of levels that logrus has', () => {
  const { level, msg, time, port } = JSON.parse(written('json')) as Record<string, unknown>

  assert.deepEqual(
    { level, msg, time, port },
    { level: 'warning', msg: 'a "name"', time: 'NOW', port: 8181 },
  )
})

test('logstash has the fields that logstash reads', () => {
  const line = JSON.parse(written('logstash')) as Record<string, unknown>

  assert.equal(line['@timestamp'], 'NOW')
  assert.deepEqual(
    [line['@version'], line['level'], line['message'], line['type'], line['port']],
    ['1', 'warning', 'a "name"', 'logs', 8181],
  )
})

test('a line is one line, whatever a field holds', () => {
  let text = ''
  const log = createLog('info', { write: (line) => (text += String(line)) }, 'console')

  log.info({ path: 'a\nlevel=error \u001b[2J' }, 'x\ny')

  assert.match(text, /^[^\n\u001b]+\n$/)
})
