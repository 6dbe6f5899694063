"""A store that takes objects only if they are signed as AWS asks, put together here from its description.

"Authenticating Requests (AWS Signature Version 4)", Amazon S3 API reference.
"""

import hmac
from base64 import b64encode
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, urlsplit

ID, SECRET, REGION = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "eu-central-1"


def signature(method, path, headers, signed):
    """The signature in hex over these headers, named in `signed`, of a request without a secret in it."""
    at, parts = headers["x-amz-date"], urlsplit(path)
    query = "&".join(sorted(f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in parse_qsl(parts.query, True)))
    lines = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in signed)
    asked = "\n".join([method, parts.path, query, lines, ";".join(signed), headers["x-amz-content-sha256"]])
    scope = f"{at[:8]}/{REGION}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{sha256(asked.encode()).hexdigest()}"
    key = f"AWS4{SECRET}".encode()
    for part in (at[:8], REGION, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return f"{ID}/{scope}", hmac.digest(key, text.encode(), "sha256").hex()


class Handler(BaseHTTPRequestHandler):
    """PUT of an object; 403 where the signature, 400 where the body is not as its headers say."""

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        given = dict(part.strip().split("=", 1) for part in self.headers["Authorization"].partition(" ")[2].split(","))
        signed = given["SignedHeaders"].split(";")
        credential, right = signature("PUT", self.path, self.headers, signed)
        bodies = sha256(body).hexdigest(), b64encode(sha256(body).digest()).decode()
        if (given["Credential"], given["Signature"]) != (credential, right) or "host" not in signed:
            self._answer(403, "<Error><Code>SignatureDoesNotMatch</Code></Error>")
        elif (self.headers["x-amz-content-sha256"], self.headers["x-amz-checksum-sha256"]) != bodies:
            self._answer(400, "<Error><Code>BadDigest</Code></Error>")
        else:
            self.server.objects[self.path] = body
            self._answer(200, "")

    def _answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("ETag", '"0"')
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *args):
        pass


def server():
    """A store on a port of its own; what it took is in `objects`, by path."""
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.objects = {}
    return made
