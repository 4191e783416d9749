import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import ts from 'typescript'
import { build } from '../../scripts/build.ts'
import { writeDeclarations } from '../../scripts/declarations.ts'
import { promisify } from 'node:util'
import { startObjectsSite } from '../support/objects-api.ts'
import { blocksOf, readPage, ROOT } from '../support/docs.ts'

const PRIORITY = 'priority: must be a whole number from -1000000000 to 1000000000, not "high"\n'

/** A folder with the package installed, as npm would: its package.json and dist. */
function install(t: TestContext): { folder: string; declared: readonly string[] } {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'sluice-package-')))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const home = join(folder, 'node_modules', 'sluice')
  mkdirSync(home, { recursive: true })
  cpSync(join(ROOT, 'package.json'), join(home, 'package.json'))
  build(join(home, 'dist'))
  const declared = writeDeclarations(join(home, 'dist'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  return { folder, declared }
}

/** What the compiler says of each program. */
function check(folder: string, programs: Readonly<Record<string, string>>): readonly string[] {
  const files = Object.entries(programs).map(([name, text]) => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  })
  const program = ts.createProgram(files, {
    strict: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2022.d.ts'],
    module: ts.ModuleKind.NodeNext,
    types: ['node'],
    typeRoots: [join(ROOT, 'node_modules', '@types')],
    exactOptionalPropertyTypes: true,
    skipDefaultLibCheck: true,
  })
  const own = program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(folder))
  return own.flatMap((file) =>
    [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(
      ({ messageText }) =>
        `${basename(file.fileName)}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
    ),
  )
}

test('the package has sluice/client, with its types and without those of the proxy', async (t) => {
  const { folder, declared } = install(t)
  const [example = ''] = blocksOf(readPage('docs/client.md'), 'ts')

  const { origin } = await startObjectsSite(t)

  writeFileSync(join(folder, 'example.ts'), example.replace('http://127.0.0.1:8182', origin))
  const run = await promisify(execFile)(process.execPath, ['example.ts'], { cwd: folder })
  const faults = check(folder, {
    'example.ts': example,
    'wrong.ts': `import { createClient } from 'sluice/client'\nawait createClient().objects.get('frontnd', 'a')\n`,
  })

  assert.equal(run.stdout, 'in-force\npriority ' + PRIORITY)
  assert.equal(faults.length, 1, faults.join('\n'))
  assert.match(faults[0] ?? '', /^wrong\.ts: .*'"frontnd"' is not assignable/)
  assert.deepEqual(
    declared.filter((file) => !file.startsWith('client/')),
    ['model/names.ts'],
  )
})
