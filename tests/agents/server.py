"""An HTTP server whose connections break, and that knows what was asked of it."""

import http.server
import pathlib
import threading
import time


class Server:
    """Serves the files of a folder. Of each answer it sends `at_most` bytes, and then closes
    the connection, or holds it if it `is_stalling`."""

    def __init__(self, folder, has_ranges=True):
        self.folder, self.has_ranges = folder, has_ranges
        self.at_most, self.is_stalling = None, False
        # Where the answers to GET began.
        self.starts = []
        handler = type("Handler", (Handler,), {"server_of_files": self})
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def url(self, file):
        return f"http://127.0.0.1:{self.http.server_port}/{file.name}"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.is_stalling = False
        self.http.shutdown()
        self.http.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    server_of_files = None

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.answer(self.server_of_files.folder / pathlib.Path(self.path).name, 0)

    def answer(self, file, start):
        if not file.exists():
            self.send_error(404)
            return None
        content = file.read_bytes()
        if start > 0 and start >= len(content):
            self.send_error(416)
            return None
        self.send_response(206 if start > 0 else 200)
        if start > 0:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        return content[start:]

    def do_GET(self):
        server = self.server_of_files
        asked = self.headers.get("Range", "bytes=0-") if server.has_ranges else "bytes=0-"
        start = int(asked.removeprefix("bytes=").split("-")[0])
        content = self.answer(server.folder / pathlib.Path(self.path).name, start)
        if content is None:
            return
        server.starts.append(start)
        self.wfile.write(content[: server.at_most])
        self.wfile.flush()
        while server.is_stalling:
            time.sleep(0.01)
        self.close_connection = True
