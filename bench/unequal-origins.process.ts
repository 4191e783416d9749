/** Two servers, the second ten times as slow as the first, that count what they get and print it when their input ends. */
import { createServer } from 'node:http'

/** So long that waiting, not the work of a busy machine, makes the difference. */
const DELAYS_MS = [20, 200]
const ports = process.argv.slice(2).map(Number)
const counts = ports.map(() => 0)

ports.forEach((port, i) => {
  createServer((_request, response) => {
    counts[i] = (counts[i] ?? 0) + 1
    setTimeout(() => response.end('done'), DELAYS_MS[i])
  }).listen(port, '127.0.0.1', 4096)
})

process.stdin.resume()
process.stdin.on('end', () => {
  console.log(JSON.stringify(counts))
  process.exit()
})
