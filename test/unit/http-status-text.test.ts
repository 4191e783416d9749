import assert from 'node:assert/strict'
import { STATUS_CODES } from 'node:http'
import { test } from 'node:test'
import { statusText } from '../../src/http/message/status-text.ts'

test('every status has the text that node:http gives it, and no other has one', () => {
  for (let status = 100; status < 600; status++) {
    assert.equal(statusText(status), STATUS_CODES[status], String(status))
  }
})
