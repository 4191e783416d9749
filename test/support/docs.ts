/** The pages of the documentation, read as a reader does: blocks, tables, headings and links. */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT: string = fileURLToPath(new URL('../../', import.meta.url))

/** README.md and all below docs/, relative to the root. */
export function listPages(): readonly string[] {
  const below = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
  const pages = below.filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)
  return ['README.md', ...pages.sort()]
}

export function readPage(page: string): string {
  return readFileSync(join(ROOT, page), 'utf8')
}

/** Fenced blocks whose opening line is exactly this: `sh`, `yaml`. */
export function blocksOf(text: string, opening: string): readonly string[] {
  const fences = text.matchAll(/^```([^\n]*)\n([\s\S]*?)^```$/gm)
  return [...fences].filter(([, one]) => one === opening).map(([, , block = '']) => block)
}

export interface Step {
  readonly commands: string
  /** What the page says that they print, if it says so. */
  readonly printed: string | null
}

/** The blocks of `sh` in their order, each with the block of `text` that is the next thing behind it. */
export function stepsOf(text: string): readonly Step[] {
  const steps = text.matchAll(/^```sh\n([\s\S]*?)^```$(?:\n\n^```text\n([\s\S]*?)^```$)?/gm)
  return [...steps].map(([, commands = '', printed = null]) => ({ commands, printed }))
}

/** `##` and deeper headings in their order, without the text of blocks. */
export function headingsOf(text: string): readonly string[] {
  const plain = text.replace(/^```[\s\S]*?^```$/gm, '')
  return [...plain.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) => title)
}

/** As the forge makes them of headings. */
export function toAnchor(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-')
}

/** The text in back quotes. */
export function codesIn(text: string): readonly string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code)
}

/** The cells of the rows whose first cell is in back quotes; `\|` is a bar within a cell. */
export function rowsOf(text: string): readonly (readonly string[])[] {
  const lines = text.split('\n').filter((line) => line.startsWith('| `'))
  return lines.map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

/** The part under a heading, up to the next one of the same depth. */
export function sectionOf(text: string, heading: string): string {
  const [before = ''] = /^(#+) /.exec(heading) ?? []
  const start = text.indexOf(`\n${heading}\n`)
  if (start === -1) throw new Error(`there is no "${heading}"`)
  const rest = text.slice(start + heading.length + 2)
  const end = rest.search(new RegExp(`^#{1,${before.trim().length}} `, 'm'))
  return end === -1 ? rest : rest.slice(0, end)
}
