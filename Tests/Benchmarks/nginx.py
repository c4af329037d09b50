"""nginx as the fixed backend, and as the bare reverse proxy that Lumen is compared with."""

import json
import os
import subprocess
from pathlib import Path

from machine import free_port, http_get, wait_for

COMPLETION = {
    "id": "chatcmpl-fixed",
    "object": "chat.completion",
    "created": 1700000000,
    "model": "fixed",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "A completion that is always the same."},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 12, "completion_tokens": 8, "total_tokens": 20},
}

COMMON = """
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
worker_processes 1;
worker_rlimit_nofile 65536;
{user}
events {{ worker_connections 16384; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000000;
    {http}
}}
"""


class Nginx:
    """One nginx with a configuration of its own, in the foreground; runs until `stop`."""

    def __init__(self, folder: Path, http: str):
        folder.mkdir(parents=True)
        self.port = free_port()
        self.path = folder / "nginx.conf"
        # As root, nginx would give its worker to a user that cannot read our folder.
        user = "user root;" if os.geteuid() == 0 else ""
        http = http.replace("PORT", str(self.port))
        self.path.write_text(COMMON.format(folder=folder, user=user, http=http))
        self.process = subprocess.Popen(
            ["/usr/sbin/nginx", "-c", self.path, "-e", folder / "error.log"], stdin=subprocess.DEVNULL
        )
        wait_for("nginx", lambda: http_get(f"http://127.0.0.1:{self.port}/alive")[0] == 200)

    def pids(self) -> dict[str, int]:
        """Master and worker."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return {"master": self.process.pid} | {f"worker {n}": int(pid) for n, pid in enumerate(children, 1)}

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


def fixed_backend(folder: Path) -> Nginx:
    return Nginx(
        folder,
        f"""
    server {{
        listen 127.0.0.1:PORT backlog=4096;
        default_type application/json;
        location = /alive {{ return 200; }}
        location = /v1/models {{ return 200 '{{"object":"list","data":[]}}'; }}
        location = /v1/chat/completions {{ return 200 '{json.dumps(COMPLETION)}'; }}
    }}""",
    )


def bare_proxy(folder: Path, target: str) -> Nginx:
    """Passes everything on to `target`, host and port, over kept connections and unbuffered, as Lumen does."""
    return Nginx(
        folder,
        f"""
    upstream target {{ server {target}; keepalive 1024; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:PORT backlog=4096;
        location = /alive {{ return 200; }}
        location / {{
            proxy_pass http://target;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_read_timeout 600s;
        }}
    }}""",
    )
