import assert from 'node:assert/strict'
import { test } from 'node:test'
import { refuseOldNode, versionText } from '../../src/cli/runtime.ts'

test('takes the versions of Node that are safe, and no other', () => {
  for (const version of ['v24.18.1', 'v24.19.0', 'v26.5.1', 'v26.10.0', 'v27.0.0', 'v30.1.2']) {
    assert.equal(refuseOldNode(version), null, version)
  }
  for (const version of [
    'v20.20.2',
    'v24.12.0',
    'v24.18.0',
    'v25.9.9',
    'v26.5.0',
    'v26.0.0',
    'x',
    '',
  ]) {
    assert.match(refuseOldNode(version) ?? '', /24\.18\.1 or later, or 26\.5\.1 or later/, version)
  }
})

test('tells the versions of the program and of Node', () => {
  assert.match(versionText(), /^sluice \d+\.\d+\.\d+ \(Node v\d+\.\d+\.\d+\)$/)
})
