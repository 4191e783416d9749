import { stat } from 'node:fs/promises'

/** What changes with the content of a file, and with the file that a path leads to; the error if there is none. */
export async function signatureOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
    return [dev, ino, size, mtimeNs, ctimeNs].join(':')
  } catch (error) {
    return String(error)
  }
}
