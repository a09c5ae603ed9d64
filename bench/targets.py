"""The gateways measured: how each is installed under bench/.cache, started, and asked."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bodies import MODEL

CACHE = Path(__file__).parent / ".cache"
LITELLM = "litellm[proxy]==1.106.2"
PORTKEY = "@portkey-ai/gateway@1.15.2"
_KEY = "sk-" + secrets.token_hex(24)  # LiteLLM refuses to start without a strong master key


class MissingError(Exception):
    """A gateway cannot be installed or found here; the message says why."""


@dataclass(frozen=True, slots=True)
class Launch:
    """A command that starts a gateway."""

    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """One gateway. `prepare(home, port, upstream_port)` installs it if need be and says how to start it."""

    name: str
    title: str
    version: Callable[[], str]
    prepare: Callable[[Path, int, int], Launch]
    path: str = "/v1/messages"
    headers: Callable[[int], list[str]] = lambda _: []
    same_process_as: str | None = None


def _run(command: list[str], cwd: Path) -> str:
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    except OSError as error:
        raise MissingError(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise MissingError(f"`{' '.join(map(str, command[:4]))} …` failed: {said[-1] if said else 'no message'}")
    return (done.stdout + done.stderr).strip()


# ---- nginx: the floor. Debian's package, unpacked and not installed where it is not there already.

_NGINX_CONF = """\
daemon off; worker_processes 1; pid {home}/nginx.pid; error_log {home}/error.log; {user}
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000; client_max_body_size 32m; client_body_buffer_size 2m;
  client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;
  upstream provider {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
    }}
  }}
}}
"""


def _nginx() -> str:
    unpacked = CACHE / "nginx" / "usr" / "sbin" / "nginx"
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found or unpacked.exists():
        return found or str(unpacked)
    folder = CACHE / "nginx"
    folder.mkdir(parents=True, exist_ok=True)
    _run(["apt-get", "download", "nginx"], folder)
    package = next(folder.glob("nginx_*.deb"))
    _run(["dpkg-deb", "-x", package.name, "."], folder)
    return str(unpacked)


def _start_nginx(home: Path, port: int, upstream: int) -> Launch:
    user = f"user {pwd.getpwuid(os.getuid()).pw_name};" if os.getuid() == 0 else ""
    conf = home / "nginx.conf"
    conf.write_text(_NGINX_CONF.format(home=home, port=port, upstream=upstream, user=user))
    return Launch([_nginx(), "-p", str(home), "-c", str(conf), "-e", str(home / "error.log")])


# ---- ours, as installed beside the interpreter that runs this program


def _underspend() -> str:
    command = Path(sys.executable).with_name("underspend")
    if not command.exists():
        raise MissingError("no `underspend` beside this Python: run `make bench`")
    return str(command)


def _start_underspend(home: Path, port: int, upstream: int) -> Launch:
    where = ["--home", str(home), "--port", str(port), "--upstream", f"http://127.0.0.1:{upstream}"]
    return Launch([_underspend(), "up", "--quiet", *where])


# ---- LiteLLM, in its own virtual environment, with the settings its documentation gives for production

_LITELLM_CONF = """\
model_list:
  - model_name: {model}
    litellm_params: {{model: anthropic/{model}, api_base: "http://127.0.0.1:{upstream}", api_key: sk-bench}}
litellm_settings: {{telemetry: false, num_retries: 0, set_verbose: false, request_timeout: 600}}
"""


def _litellm() -> str:
    command = CACHE / "litellm" / "bin" / "litellm"
    if not command.exists():
        CACHE.mkdir(exist_ok=True)
        _run([sys.executable, "-m", "venv", "litellm"], CACHE)
        _run([str(command.with_name("pip")), "install", "-q", "--disable-pip-version-check", LITELLM], CACHE)
    return str(command)


def _start_litellm(home: Path, port: int, upstream: int) -> Launch:
    conf = home / "config.yaml"
    conf.write_text(_LITELLM_CONF.format(model=MODEL, upstream=upstream))
    where = ["--config", str(conf), "--host", "127.0.0.1", "--port", str(port)]
    environment = {
        "LITELLM_MASTER_KEY": _KEY,
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_LOG": "ERROR",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "ANTHROPIC_API_BASE": f"http://127.0.0.1:{upstream}",
        "ANTHROPIC_API_KEY": "sk-bench",
    }
    return Launch([_litellm(), *where, "--num_workers", "1", "--telemetry", "False"], environment)


def _litellm_version() -> str:
    code = "import importlib.metadata as m; print(m.version('litellm'))"
    return _run([str(Path(_litellm()).with_name("python")), "-c", code], CACHE)


# ---- Portkey, from npm. Its streams answer 500 ("TypeError: immutable") with current Node until one line is mended.

_BROKEN, _MENDED = "new Response(p,e)", "new Response(p,{status:e.status,headers:new Headers(e.headers)})"


def _portkey() -> str:
    folder = CACHE / "portkey"
    server = folder / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    if not server.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _run(["npm", "install", "--silent", "--no-fund", "--no-audit", PORTKEY], folder)
    code = server.read_text()
    if _BROKEN in code:
        server.write_text(code.replace(_BROKEN, _MENDED))
    return str(server)


def _start_portkey(_home: Path, port: int, _upstream: int) -> Launch:
    return Launch(["node", _portkey(), f"--port={port}", "--headless"], {"NODE_ENV": "production"})


def _portkey_version() -> str:
    return f"{PORTKEY.rpartition('@')[2]} on Node {_run(['node', '--version'], CACHE)}"


def _portkey_headers(upstream: int) -> list[str]:
    return ["x-portkey-provider: anthropic", f"x-portkey-custom-host: http://127.0.0.1:{upstream}/v1"]


def _key_headers(_: int) -> list[str]:
    return [f"authorization: Bearer {_KEY}"]


TARGETS = {
    target.name: target
    for target in (
        Target(
            "nginx",
            "nginx proxy_pass",
            lambda: _run([_nginx(), "-v"], CACHE).rpartition("/")[2],
            _start_nginx,
        ),
        Target(
            "underspend",
            "Underspend, accounting on",
            lambda: _run([_underspend(), "--version"], Path.cwd()).split()[-1],
            _start_underspend,
        ),
        Target("portkey", "Portkey", _portkey_version, _start_portkey, headers=_portkey_headers),
        Target(
            "litellm-pass",
            "LiteLLM /anthropic",
            _litellm_version,
            _start_litellm,
            path="/anthropic/v1/messages",
            headers=_key_headers,
        ),
        Target(
            "litellm",
            "LiteLLM /v1/messages",
            _litellm_version,
            _start_litellm,
            headers=_key_headers,
            same_process_as="litellm-pass",
        ),
    )
}
