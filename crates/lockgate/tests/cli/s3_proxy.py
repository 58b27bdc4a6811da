"""Passes requests on to an S3 service on loopback and tampers with some of the answers.

    s3_proxy.py PKI PORT MODE    prints its own port

MODES: provider     says of every object that it is under a key of the provider's own
       overwriting  takes every put that is on a condition as done
       unanswered   passes the first put of a commit on and does not answer it
       silent       does so, and answers nothing from then on
       cutting      closes the connection at every third request, instead of passing it on
"""

import http.client
import http.server
import itertools
import ssl
import sys

PKI, PORT, MODE = sys.argv[1], int(sys.argv[2]), sys.argv[3]
UPSTREAM = ssl.create_default_context(cafile=f"{PKI}/ca.pem")


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    commit_was_put = False
    requests = itertools.count(1)

    def pass_on(self):
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if MODE == "silent" and Proxy.commit_was_put:
            self.close_connection = True
            return
        if MODE == "cutting" and next(Proxy.requests) % 3 == 0:
            self.close_connection = True
            return
        service = http.client.HTTPSConnection("localhost", PORT, context=UPSTREAM)
        service.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            service.putheader(name, value)
        service.endheaders(content)
        answer = service.getresponse()
        body = answer.read()
        is_commit = self.command == "PUT" and "/_lockgate/commits/" in self.path
        if MODE in ("unanswered", "silent") and is_commit and not Proxy.commit_was_put:
            Proxy.commit_was_put = True
            self.close_connection = True
            return
        if MODE == "overwriting" and answer.status == 412:
            self.send_response_only(200)
            for name, value in self.headers.items():
                if name.lower().startswith("x-amz-server-side-encryption"):
                    self.send_header(name, value)
            self.send_header("ETag", '"0"')
            self.send_header("Content-Length", 0)
            self.end_headers()
            return
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if MODE == "provider" and name.lower() == "x-amz-server-side-encryption":
                value = "AES256"
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else len(body)
        if answer.status != 204:
            self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = pass_on

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(f"{PKI}/server.crt", f"{PKI}/server.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
