// Issue: the bar "a 1 GiB body to a reader of 1 MB/s, and from a sender to a server that does not read", in a form of
// seconds. MEMORY_STORY_SECONDS makes it longer: 30 is the bar's own time, at 1 MB/s and 1 GiB.
import assert from 'node:assert/strict'
import { createServer, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { setTimeout as passed } from 'node:timers/promises'
import { connectClient } from '../support/client.ts'
import { parseExposition } from '../support/exposition.ts'
import { listen } from '../support/origin.ts'
import { choosePort } from '../support/ports.ts'
import { startProgram, type Program } from '../support/program.ts'

const MIB = 1 << 20
const SECONDS = Number(process.env['MEMORY_STORY_SECONDS'] ?? 3)
const SIZE = SECONDS > 10 ? 1024 * MIB : 100 * MIB
const BYTES_A_SECOND = MIB
const MAX_GROWTH = 20 * MIB
/** Asking costs memory, too. */
const ASK_EVERY_MS = 250
const PIECE = Buffer.alloc(256 * 1024, 'm')

/** What the story's origin holds of an upload. */
interface Bulk {
  readonly port: number
  /** The upload that is not read. */
  upload(): Socket | null
}

/** Sends SIZE bytes for /down, and reads nothing of what is sent to /up. */
async function startBulk(t: TestContext): Promise<Bulk> {
  let upload: Socket | null = null
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('data', (head: Buffer) => {
      if (head.toString('latin1').startsWith('POST /up')) {
        socket.pause()
        // The part of the body that came with the head is read again.
        socket.unshift(head.subarray(head.indexOf('\r\n\r\n') + 4))
        upload = socket
      } else if (head.toString('latin1').startsWith('GET /warm')) {
        socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${PIECE.length}\r\n\r\n${PIECE.toString()}`)
      } else {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n\r\n`)
        push(socket, SIZE)
      }
    })
  })
  const port = await listen(server)
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { port, upload: () => upload }
}

/** Writes so many bytes, as fast as they are taken. */
function push(socket: Socket, bytes: number): void {
  let left = bytes
  const more = (): void => {
    while (left > 0 && !socket.destroyed) {
      const piece = left < PIECE.length ? PIECE.subarray(0, left) : PIECE
      left -= piece.length
      if (!socket.write(piece)) return void socket.once('drain', more)
    }
  }
  more()
}

async function residentBytes(program: Program): Promise<number> {
  const samples = parseExposition((await program.ask('/metrics')).text)
  return samples.get('process_resident_memory_bytes') ?? assert.fail('there is no such sample')
}

test('bodies of any size cost no memory, with a slow reader and with a server that does not read', async (t) => {
  const origin = await startBulk(t)
  const program = await startProgram(t, {
    workers: 2,
    listeners: { web: { address: `127.0.0.1:${await choosePort()}` } },
    backends: { bulk: { servers: { only: `http://127.0.0.1:${origin.port}` } } },
    frontends: { all: { route: 'PathPrefix("/")', backend: 'bulk' } },
  })
  // Code that runs for the first time takes memory of its own.
  for (let turn = 0; turn < 40; turn++) {
    const warm = await connectClient(program.port)
    await warm.ask('GET /warm HTTP/1.1\r\nHost: a.test\r\n\r\n')
    warm.socket.destroy()
    await residentBytes(program)
  }
  const before = await residentBytes(program)

  const reader = await connectSocket(t, program.port)
  const sender = await connectSocket(t, program.port)
  reader.write('GET /down HTTP/1.1\r\nHost: a.test\r\n\r\n')
  sender.write(`POST /up HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${SIZE}\r\n\r\n`)
  push(sender, SIZE)
  let most = before
  let read = 0
  const began = performance.now()
  let askAt = began
  for (;;) {
    const seconds = (performance.now() - began) / 1000
    if (seconds > SECONDS) break
    while (read < seconds * BYTES_A_SECOND) {
      const piece = reader.read() as Buffer | null
      if (piece === null) break
      read += piece.length
    }
    if (performance.now() > askAt) {
      most = Math.max(most, await residentBytes(program))
      askAt += ASK_EVERY_MS
    }
    await passed(20)
  }

  const growth = most - before
  t.diagnostic(
    `grew by ${(growth / MIB).toFixed(1)} MiB while ${(read / MIB).toFixed(0)} MiB were read`,
  )
  assert.ok(growth < MAX_GROWTH, `resident memory grew by ${(growth / MIB).toFixed(1)} MiB`)
  assert.ok(read >= (SECONDS - 1) * BYTES_A_SECOND, `${read} bytes were read`)
  assert.ok(sender.bytesWritten - sender.writableLength < SIZE, 'the sender is held back')
  assert.notEqual(origin.upload(), null)

  // Both go on once they are read: nothing was lost on the way.
  let uploaded = 0
  const upload = origin.upload()
  upload?.on('data', (bytes: Buffer) => (uploaded += bytes.length))
  upload?.resume()
  reader.on('data', (bytes: Buffer) => (read += bytes.length))
  reader.resume()
  const deadline = performance.now() + 30_000
  while (read < SIZE || uploaded < SIZE) {
    assert.ok(performance.now() < deadline, `${read} and ${uploaded} of ${SIZE} bytes arrived`)
    await passed(5)
  }
  const after = await residentBytes(program)
  t.diagnostic(`at full speed it grew by ${((after - before) / MIB).toFixed(1)} MiB`)
})

async function connectSocket(t: TestContext, port: number): Promise<Socket> {
  const { socket } = await connectClient(port)
  t.after(() => socket.destroy())
  // Read by hand here.
  socket.removeAllListeners('data')
  socket.pause()
  return socket
}
