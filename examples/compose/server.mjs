// Any server will do. This one answers with the name of its container, and ends when it has answered what it had accepted.
import { createServer } from 'node:http'
import { hostname } from 'node:os'

const delayMs = Number(process.env.DELAY_MS ?? 0)
const server = createServer((_, response) => {
  setTimeout(() => response.end(`${hostname()}\n`), delayMs)
})
server.listen(8000)
process.once('SIGTERM', () => server.close())
