"""A stand-in for the API server of Kubernetes: what a pod would run runs as a process here."""

import base64
import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: here
contexts: [{{name: here, context: {{cluster: here, user: nobody}}}}]
clusters: [{{name: here, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
users: [{{name: nobody, user: {{}}}}]
"""


@dataclass
class Pods:
    """What was asked for: secrets, jobs as they came, and the processes that they became."""

    folder: Path
    image: dict[str, str]
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, job: dict[str, Any]) -> None:
        """Run a job's container: in an empty folder, with its image's and its own variables."""
        (container,) = job["spec"]["template"]["spec"]["containers"]
        variables = dict(self.image)
        for variable in container["env"]:
            source = variable["valueFrom"]["secretKeyRef"]
            value = base64.b64decode(self.secrets[source["name"]][source["key"]])
            variables[variable["name"]] = value.decode()
        self.jobs.append(job)
        name = job["metadata"]["name"]
        with (self.folder / f"{name}.log").open("wb") as out:
            self.processes[name] = subprocess.Popen(
                [*container["command"], *container["args"]],
                cwd=self.folder, env=variables, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip

    def end(self, name: str) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.processes[name].pid, signal.SIGKILL)

    def status(self, name: str) -> dict[str, int]:
        code = self.processes[name].poll()
        return {"active": 1} if code is None else {"succeeded" if code == 0 else "failed": 1}


@contextmanager
def api_server(folder: Path, image: dict[str, str]) -> Iterator[tuple[Pods, Path]]:
    """The pods, which begin with `image`, and the file by which a client finds the server."""
    pods = Pods(folder, image)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path.endswith("/secrets"):
                pods.secrets[body["metadata"]["name"]] = body["data"]
            else:
                pods.start(body)
            self.answer(body)

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path.endswith("/pods"):
                self.answer({"kind": "PodList", "items": []})
            else:
                self.answer({"kind": "Job", "status": pods.status(path.split("/")[-2])})

        def do_DELETE(self) -> None:
            path = self.path.partition("?")[0]
            if "/jobs/" in path:
                pods.end(path.split("/")[-1])
            self.answer({"kind": "Status", "status": "Success"})

        def answer(self, body: dict[str, Any]) -> None:
            text = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    known = folder / "kubeconfig"
    known.write_text(KUBECONFIG.format(port=server.server_port))
    try:
        yield pods, known
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
        for name in pods.processes:
            pods.end(name)
