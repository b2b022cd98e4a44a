"""Talks to aft-lsp-server as an editor does: opens a document with an error in it,
and prints the diagnostics that come back.

Usage: lsp_session.py SERVER
"""
import json
import subprocess
import sys

TEXT = """func.func @main(%q: tensor<2x16x8xf32>, %k: tensor<2x16x4xf32>) {
  %y = aft.simple %q, %k, %q : (tensor<2x16x8xf32>, tensor<2x16x4xf32>, tensor<2x16x8xf32>) -> tensor<2x16x8xf32>
  return
}
"""
URI = "file:///model.mlir"


def message(method, params, number=None):
    body = {"jsonrpc": "2.0", "method": method, "params": params}
    if number is not None:
        body["id"] = number
    text = json.dumps(body).encode()
    return b"Content-Length: %d\r\n\r\n%s" % (len(text), text)


def replies(text):
    while text:
        head, _, rest = text.partition(b"\r\n\r\n")
        length = int(head.split(b":")[1])
        yield json.loads(rest[:length])
        text = rest[length:]


document = {"uri": URI, "languageId": "mlir", "version": 1, "text": TEXT}
session = b"".join([
    message("initialize", {"processId": 1, "rootUri": None, "capabilities": {}}, 1),
    message("initialized", {}),
    message("textDocument/didOpen", {"textDocument": document}),
    message("textDocument/hover",
            {"textDocument": {"uri": URI}, "position": {"line": 1, "character": 9}}, 2),
    message("shutdown", {}, 3),
    message("exit", {}),
])
done = subprocess.run([sys.argv[1]], input=session, capture_output=True, timeout=60)
for reply in replies(done.stdout):
    if reply.get("id") == 1:
        print("capabilities:", sorted(reply["result"]["capabilities"]))
    if reply.get("method") == "textDocument/publishDiagnostics":
        for found in reply["params"]["diagnostics"]:
            start = found["range"]["start"]
            print(f"{start['line'] + 1}:{start['character'] + 1}: {found['message']}")
    if reply.get("id") == 2:
        print("hover:", json.dumps(reply.get("result")))
sys.exit(done.returncode)
