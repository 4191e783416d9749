/** Reads the files that declared objects name (certificates): relative paths start at the declaring file's directory. */
import { readFileSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

const maxBytes = 1024 ** 2

/** Throws when there is no such file, or nothing that could be a certificate: a device or a pipe would never end. */
export function createReadBeside(file: string): (path: string) => string {
  const directory = dirname(resolve(file))
  return (path) => {
    const target = resolve(directory, path)
    const stat = statSync(target)
    // A directory says what it is when it is read.
    if (!stat.isFile() && !stat.isDirectory()) throw new Error('it is not a regular file')
    if (stat.size > maxBytes) throw new Error(`it is larger than ${maxBytes} bytes`)
    return readFileSync(target, 'utf8')
  }
}
