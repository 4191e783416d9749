/**
 * `node scripts/declarations.ts [FOLDER]`: writes the types of `sluice/client` beside its code in dist, for users of TypeScript. Only what the
 * client's own types name is written.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const START = 'client/client.ts'
const SPECIFIER = /(\bfrom |\bimport\()(['"])(\.{1,2}\/[^'"\n]*)\.ts\2/g

export function writeDeclarations(to: string = join(ROOT, 'dist')): readonly string[] {
  const waiting = [START]
  const written = new Set<string>()
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (written.has(file)) continue
    written.add(file)
    const text = declarationOf(file)
    for (const [, , , path = ''] of text.matchAll(SPECIFIER)) {
      waiting.push(join(dirname(file), `${path}.ts`))
    }
    const target = join(to, file.replace(/\.ts$/, '.d.ts'))
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, text.replace(SPECIFIER, '$1$2$3.js$2'))
  }
  return [...written]
}

/** Each file alone: `isolatedDeclarations` is on. */
function declarationOf(file: string): string {
  const { outputText, diagnostics = [] } = ts.transpileDeclaration(
    readFileSync(join(ROOT, 'src', file), 'utf8'),
    {
      fileName: file,
      reportDiagnostics: true,
      compilerOptions: {
        isolatedDeclarations: true,
        declaration: true,
        verbatimModuleSyntax: true,
        module: ts.ModuleKind.NodeNext,
        target: ts.ScriptTarget.ES2024,
      },
    },
  )
  const [first] = diagnostics
  if (first === undefined) return outputText
  throw new Error(`${file}: ${ts.flattenDiagnosticMessageText(first.messageText, ' ')}`)
}

if (import.meta.main) writeDeclarations(process.argv[2])
