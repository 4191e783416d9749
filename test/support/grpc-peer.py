"""A peer of C-core: `server` prints its port, `client PORT` calls test.Echo there and prints what it saw as JSON."""
import json
import sys
import time
from concurrent import futures

import grpc


class Echo(grpc.GenericRpcHandler):
    def service(self, details):
        return {
            '/test.Echo/Unary': grpc.unary_unary_rpc_method_handler(self.unary),
            '/test.Echo/Collect': grpc.stream_unary_rpc_method_handler(self.collect),
            '/test.Echo/Repeat': grpc.unary_stream_rpc_method_handler(self.repeat),
            '/test.Echo/Chat': grpc.stream_stream_rpc_method_handler(self.chat),
        }.get(details.method)

    def unary(self, message, context):
        if message.startswith(b'fail '):
            context.abort(grpc.StatusCode.NOT_FOUND, message[5:].decode())
        if message == b'hang':
            while context.is_active():
                time.sleep(0.05)
        context.set_trailing_metadata((('x-tail', 'late'), ('x-tail-bin', bytes([0, 255]))))
        return message

    def collect(self, messages, context):
        sizes = [len(message) for message in messages]
        return f'{len(sizes)} {sum(sizes)}'.encode()

    def repeat(self, message, context):
        text, times = message.split(b'*')
        for _ in range(int(times)):
            yield text

    def chat(self, messages, context):
        yield from messages


def serve():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
    server.add_generic_rpc_handlers((Echo(),))
    port = server.add_insecure_port('127.0.0.1:0')
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(None)


def code_of(call):
    try:
        return ['OK', call()]
    except grpc.RpcError as error:
        return [error.code().name, error.details()]


def ask(port):
    channel = grpc.insecure_channel(f'127.0.0.1:{port}', options=[('grpc.enable_retries', 0)])
    unary = channel.unary_unary('/test.Echo/Unary')
    seen = {}
    response, call = unary.with_call(b'hello', metadata=(('x-bytes-bin', b'\x00\xff'),))
    seen['unary'] = [response.decode(), dict(call.trailing_metadata()).get('x-tail')]
    seen['bytes'] = list(dict(call.trailing_metadata())['x-tail-bin'])
    collect = channel.stream_unary('/test.Echo/Collect')
    seen['collect'] = collect(iter([b'a', b'bc'])).decode()
    repeat = channel.unary_stream('/test.Echo/Repeat')
    seen['repeat'] = [message.decode() for message in repeat(b'x*3')]
    chat = channel.stream_stream('/test.Echo/Chat')
    seen['chat'] = [message.decode() for message in chat(iter([b'1', b'2', b'3']))]
    seen['large'] = len(unary(b'y' * 2_000_000))
    seen['fail'] = code_of(lambda: unary(b'fail gone'))
    seen['deadline'] = code_of(lambda: unary(b'hang', timeout=0.3))[0]
    seen['unknown'] = code_of(lambda: channel.unary_unary('/other.Service/Call')(b'x'))
    print(json.dumps(seen), flush=True)


if sys.argv[1] == 'server':
    serve()
else:
    ask(int(sys.argv[2]))
