// needs: grpcio
// Calls of C-core, as Python has it: as the client, and as the server of a client of @grpc/grpc-js.
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startGateway } from '../support/gateway.ts'
import { openGrpcClient, startGrpcOrigin } from '../support/grpc.ts'

// The one that the Debian package is for.
const PYTHON = '/usr/bin/python3'
const PEER = fileURLToPath(new URL('../support/grpc-peer.py', import.meta.url))

async function startPython(t: TestContext): Promise<number> {
  const server = spawn(PYTHON, [PEER, 'server'], { stdio: ['pipe', 'pipe', 'inherit'] })
  const gone = once(server, 'exit')
  t.after(async () => {
    server.kill('SIGKILL')
    await gone
  })
  const [line] = (await once(server.stdout, 'data')) as [Buffer]
  return Number(line.toString())
}

function gatewayTo(t: TestContext, port: number): ReturnType<typeof startGateway> {
  return startGateway(t, {
    listeners: { web: { address: '127.0.0.1:0' } },
    backends: { echo: { servers: { s: `h2c://127.0.0.1:${port}` } } },
    frontends: { echo: { route: 'PathPrefix("/test.Echo/")', backend: 'echo' } },
  })
}

const CALLS = {
  unary: ['hello', 'late'],
  bytes: [0, 255],
  collect: '2 3',
  repeat: ['x', 'x', 'x'],
  chat: ['1', '2', '3'],
  large: 2_000_000,
  fail: ['NOT_FOUND', 'gone'],
  deadline: 'DEADLINE_EXCEEDED',
  unknown: ['UNIMPLEMENTED', 'Not Found (NO_ROUTE)'],
}

test('a client and a server of Python call through it', async (t) => {
  const gateway = await gatewayTo(t, await startPython(t))

  const { stdout } = await promisify(execFile)(PYTHON, [PEER, 'client', String(gateway.port)])

  assert.deepEqual(JSON.parse(stdout), CALLS)
})

test('a client of JavaScript calls a server of Python', async (t) => {
  const gateway = await gatewayTo(t, await startPython(t))
  const client = openGrpcClient(t, gateway.port)

  const unary = await client.unary('hello')
  const failed = await client.unary('fail gone')
  const chat = client.chat()
  chat.send('one')
  chat.end()

  assert.deepEqual(unary.trailers?.get('x-tail-bin'), [Buffer.from([0, 255])])
  assert.deepEqual([failed.code, failed.details], [5, 'gone'])
  assert.deepEqual((await chat.result).messages, ['one'])
})

test('a client of Python gets UNAVAILABLE when its server has died', async (t) => {
  const origin = await startGrpcOrigin(t)
  const gateway = await gatewayTo(t, origin.port)
  const code = `
import grpc, sys
channel = grpc.insecure_channel('127.0.0.1:${gateway.port}', options=[('grpc.enable_retries', 0)])
call = channel.unary_stream('/test.Echo/Repeat')(b'x*1!')
print(next(call).decode(), flush=True)
try:
    next(call)
except grpc.RpcError as error:
    print(error.code().name, flush=True)
`
  const python = spawn(PYTHON, ['-c', code], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(python, 'exit')
  const lines: string[] = []
  python.stdout.on('data', (chunk: Buffer) => lines.push(chunk.toString().trim()))
  await once(python.stdout, 'data')

  origin.kill()
  await exited

  assert.deepEqual(lines, ['x', 'UNAVAILABLE'])
})
