/** Programs from Debian packages that are extracted and not installed: nothing of the machine changes, and nothing starts. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/debian-packages', import.meta.url))

/** Downloads the packages with apt and extracts them into `target`; `folder` gets the downloads. */
export async function extractPackages(
  names: readonly string[],
  folder: string,
  target: string,
): Promise<void> {
  const debs = join(folder, `debs-${names[0]}`)
  await mkdir(debs, { recursive: true })
  const download = (): Promise<unknown> =>
    run('apt-get', ['download', '-q', ...names], { cwd: debs })
  // A machine that has never updated its package lists has no names in them.
  await download().catch(async () => {
    await run('apt-get', ['update', '-q'])
    await download()
  })
  for (const deb of await readdir(debs)) await run('dpkg-deb', ['-x', join(debs, deb), target])
}

/** The folder with the packages' files, extracted by the first call on this machine. */
export async function cachedPackages(names: readonly string[]): Promise<string> {
  const hash = createHash('sha256').update(names.join()).digest('hex').slice(0, 12)
  const root = join(CACHE, `${names[0]}-${hash}`)
  if (existsSync(root)) return root
  await mkdir(CACHE, { recursive: true })
  const folder = await mkdtemp(`${root}-`)
  try {
    const target = join(folder, 'root')
    await extractPackages(names, folder, target)
    // Another process may have been faster.
    await rename(target, root).catch((error: unknown) => {
      if (!existsSync(root)) throw error
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  return root
}
