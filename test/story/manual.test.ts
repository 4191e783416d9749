// needs: mandoc
// Issue 14: "a man page": what a formatter of manual pages says of it.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { manualText } from '../../src/cli/line/manual.ts'
import { runProgram } from '../support/program.ts'

test('mandoc finds no fault in the manual page, and shows its flags and examples as they are', async (t) => {
  const { output, code } = await runProgram(t, ['man'])
  const lint = spawnSync('mandoc', ['-T', 'lint', '-W', 'error'], { input: output })
  const shown = spawnSync('mandoc', ['-T', 'ascii', '-O', 'width=200'], { input: output })

  assert.equal(code, 0)
  assert.match(output, /^\.TH SLUICE 1 /)
  assert.equal(String(lint.stdout), '')
  // Bold and underlined letters are written twice, with a backspace between them.
  const text = String(shown.stdout).replaceAll(/.\x08/g, '')
  assert.match(text, /^ +sluice drain SERVER \[--wait\] \[--timeout DURATION\] \[flags\]$/m)
  assert.match(text, /^ +--admin-anonymous ROLE$/m)
  assert.match(text, /^ +sluice put server vote\/1 '"http:\/\/10\.0\.0\.1:80"' --ttl 10s$/m)
  assert.match(text, /\{"route":"Host\(\\"vote\.example\\"\)","backend":"vote"\}/)
})

test('the page has a version of the program, and nothing of this machine', () => {
  const text = manualText('9.8.7')

  assert.match(text, /"Sluice 9\.8\.7"/)
  assert.ok(!text.includes(process.cwd()))
})
