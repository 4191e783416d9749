/** The cases of HTTP/2 conformance against a link on its own, without a proxy around it. */
import { test, type TestContext } from 'node:test'
import { judge } from '../support/http2/cases/case.ts'
import { FURTHER_CASES, PUBLIC_CASES } from '../support/http2/cases/index.ts'
import { startLinkServer, type TestStream } from '../support/http2/links.ts'

for (const each of [...PUBLIC_CASES, ...FURTHER_CASES])
  test(each.name, async (t) => judge(t, await startServer(t), each))

async function startServer(t: TestContext): Promise<number> {
  const { port } = await startLinkServer(t, { serve, settings: { maxStreams: 50 } })
  return port
}

/** Responds after the request has ended, in a later turn of the event loop, as a proxy does. */
function serve(stream: TestStream): void {
  const respond = (): void => {
    const hasBody = stream.method !== 'HEAD'
    stream.sendResponse(stream.result === 0 ? 200 : 431, 11, '', !hasBody)
    if (hasBody) stream.sendData('hello world', true)
  }
  if (stream.ended) setImmediate(respond)
  stream.onData = (_, ended) => {
    if (ended) setImmediate(respond)
  }
}
