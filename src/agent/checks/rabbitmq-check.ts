/**
 * Checks a RabbitMQ as nerve does: it logs in, declares a queue, publishes a message to it and gets it back. So a broker that
 * accepts connections but stores nothing (an alarm of memory or disk) fails. AMQP 0-9-1, without TLS.
 */
import { connect, type LookupFunction, type Socket } from 'node:net'
import { messageOf } from '../../model/error-message.ts'
import { escapeControls } from '../../model/parsed.ts'
import type { RabbitmqSpec } from '../spec/agent-spec.ts'
import {
  contentFrames,
  CAPABILITIES,
  EMPTY_TABLE,
  FRAME_MAX,
  FrameReader,
  longText,
  METHOD,
  methodFrame,
  PROTOCOL_HEADER,
  readShortText,
  shortText,
  uint16,
  uint32,
  uint8,
  type Method,
  type MethodFrame,
} from './amqp-frames.ts'
import { isShortage, type Check } from './check.ts'

const CHANNEL = 1
const EXPIRES_MS = 2_000
const EXCLUSIVE_AUTO_DELETE = 4 | 8

export function createRabbitmqCheck(spec: RabbitmqSpec, lookup: LookupFunction): Check {
  return (signal) =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return resolve('it was called off')
      const { host, port } = spec
      const socket = connect({ host, port, lookup })
      const reader = new FrameReader()
      let isConnected = false
      let isPassed = false
      const end = (reason: string | null): void => {
        signal.removeEventListener('abort', abort)
        socket.destroy()
        // How the connection ends does not matter then.
        resolve(isPassed ? null : reason)
      }
      const abort = (): void => end('it was called off')
      signal.addEventListener('abort', abort)
      socket.setNoDelay(true)
      socket.on('connect', () => {
        isConnected = true
        socket.write(PROTOCOL_HEADER)
      })
      socket.on('error', (error) => {
        if (isShortage(error)) reject(error)
        end(
          isConnected
            ? `RabbitMQ at ${host}:${port}: ${error.message}`
            : `cannot connect to ${host}:${port}: ${error.message}`,
        )
      })
      // Old brokers refuse a login without a method that says so.
      socket.on('close', () => end(`RabbitMQ at ${host}:${port} closed the connection`))
      socket.on('data', (chunk: Buffer) => {
        try {
          for (const frame of reader.read(chunk)) {
            const result = react(frame, socket, spec)
            if (result === 'passed') isPassed = true
            else if (result !== 'go on') return end(result)
          }
        } catch (error) {
          end(`RabbitMQ at ${host}:${port}: ${messageOf(error)}`)
        }
      })
    })
}

/**
 * Sends what follows a method of the broker. `passed`: the message is back, and the connection is about to end cleanly, so that
 * the broker logs no lost one; null: it has ended. Others are the reason of a failure.
 */
function react(
  frame: MethodFrame,
  socket: Socket,
  spec: RabbitmqSpec,
): string | null | 'go on' | 'passed' {
  const is = ([classId, methodId]: Method): boolean =>
    frame.classId === classId && frame.methodId === methodId
  const send = (channel: number, method: Method, ...args: readonly Buffer[]): void =>
    void socket.write(methodFrame(channel, method, ...args))

  if (is(METHOD.connectionStart)) {
    const login = longText(`\0${spec.username}\0${spec.password}`)
    send(0, METHOD.connectionStartOk, CAPABILITIES, shortText('PLAIN'), login, shortText('en_US'))
  } else if (is(METHOD.connectionTune)) {
    // 0: it has no limit.
    const limit = frame.args.length >= 6 ? frame.args.readUInt32BE(2) : 0
    const frameMax = limit === 0 ? FRAME_MAX : Math.min(FRAME_MAX, limit)
    const [channelMax, heartbeat] = [uint16(1), uint16(0)]
    send(0, METHOD.connectionTuneOk, channelMax, uint32(frameMax), heartbeat)
    send(0, METHOD.connectionOpen, shortText(spec.vhost), shortText(''), uint8(0))
  } else if (is(METHOD.connectionOpenOk)) {
    send(CHANNEL, METHOD.channelOpen, shortText(''))
  } else if (is(METHOD.channelOpenOk)) {
    const flags = spec.queue === null ? EXCLUSIVE_AUTO_DELETE : 0
    const name = shortText(spec.queue ?? '')
    send(CHANNEL, METHOD.queueDeclare, uint16(0), name, uint8(flags), EMPTY_TABLE)
  } else if (is(METHOD.queueDeclareOk)) {
    const queue = shortText(readShortText(frame.args, 0))
    send(CHANNEL, METHOD.basicPublish, uint16(0), shortText(''), queue, uint8(0))
    socket.write(contentFrames(CHANNEL, Buffer.from('a check'), EXPIRES_MS))
    const noAck = uint8(1)
    send(CHANNEL, METHOD.basicGet, uint16(0), queue, noAck)
  } else if (is(METHOD.basicGetOk)) {
    send(0, METHOD.connectionClose, uint16(200), shortText(''), uint32(0))
    return 'passed'
  } else if (is(METHOD.connectionCloseOk)) {
    return null
  } else if (is(METHOD.basicGetEmpty)) {
    return `the queue of RabbitMQ at ${spec.host}:${spec.port} has lost the message`
  } else if (is(METHOD.connectionClose) || is(METHOD.channelClose)) {
    const text = escapeControls(readShortText(frame.args, 2))
    return `RabbitMQ at ${spec.host}:${spec.port} refuses the check: ${text}`
  }
  return 'go on'
}
