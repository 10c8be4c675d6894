"""The peers: what each is set up to do, and the request that is sent to it."""

import os
import random

from harness.http_client import Response
from harness.ports import free_port
from harness.waiting import Failure

from . import preparation
from .forgery import forged_keys
from .processes import Processes, last_line, run
from .subject import Subject

# Keys in the maps of nginx and HAProxy; the one that is sent is in the middle.
KEYS = 100_000
HOURLY_LIMIT = 1_000_000_000
PATH = "/gate/api/v1/things"
BODY = '{"ok":true}'
# What a gateway says of its client. The gate reads both; nginx and HAProxy are sent the same bytes.
FORWARDED = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7"}

# The gate's response to an admitted request, for HAProxy to send the same when the gate itself is left out.
SAMPLE_HEADERS = [
    ("X-Keybearer-User", "usr_06vd9e8VfkIaQladXNIC"), ("X-Keybearer-Email", "ada@example.com"),
    ("X-Keybearer-Workspace", "-"), ("X-Keybearer-Role", "-"), ("X-Keybearer-Plan", "pro"),
    ("X-Keybearer-Key-Prefix", "tdc_OIeN"), ("X-Request-Id", "req_3dvz03jx1f"),
    ("RateLimit-Policy", f'"hourly";q={HOURLY_LIMIT};w=3600'), ("RateLimit", '"hourly";r=999999999;t=3700'),
    ("X-RateLimit-Limit", str(HOURLY_LIMIT)), ("X-RateLimit-Remaining", "999999999"),
    ("X-RateLimit-Reset", "1795481761"), ("Cache-Control", "no-store"), ("Date", "Mon, 23 Nov 2026 23:54:04 GMT"),
]

NGINX = """\
daemon off;
worker_processes auto;
error_log stderr crit;
pid {directory}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    map_hash_max_size 262144;
    map_hash_bucket_size 128;
    map $http_authorization $user {{
        default "";
        include {directory}/nginx.map;
    }}
    server {{
        listen 127.0.0.1:{port};
        default_type application/json;
        location / {{
            if ($user = "") {{ return 401 '{{"ok":false}}'; }}
            return 200 '{body}';
        }}
    }}
}}
"""

# `auto` threads: HAProxy takes one for each core by itself.
HAPROXY = """\
defaults
    mode http
    timeout client 1h
    timeout http-keep-alive 1h
    timeout connect 5s
    timeout server 5s
frontend gate
    bind 127.0.0.1:{port}
    stick-table type string len 64 size 200k expire 1h store http_req_rate(1h)
    http-request set-var(txn.identity) http_auth_bearer,map_str({directory}/haproxy.map)
    http-request deny deny_status 401 unless {{ var(txn.identity) -m found }}
    http-request set-var(txn.user) var(txn.identity),field(1,|)
    http-request track-sc0 var(txn.user)
    http-request set-var(txn.used) sc0_http_req_rate
    http-request deny deny_status 429 if {{ var(txn.used) -m int gt {limit} }}
    http-request set-var(txn.remaining) int({limit}),sub(txn.used)
    http-request set-var(txn.seconds) date,mod(60),neg,add(3720)
    http-request return status 200 content-type "application/json; charset=utf-8" lf-string "{body}" {headers}
"""


def start_nginx(processes: Processes, directory: str, key: str) -> Subject:
    """A look-up of the key and nothing else: the least that answering 200 or 401 can cost."""
    port = free_port()
    with open(os.path.join(directory, "nginx.map"), "w") as file:
        file.writelines(f'"Bearer {one}" "usr_{number:020}";\n' for number, one in enumerate(keys_with(key)))
    path = os.path.join(directory, "nginx.conf")
    with open(path, "w") as file:
        file.write(NGINX.format(directory=directory, port=port, body=BODY))
    run(["nginx", "-t", "-q", "-c", path, "-p", directory], "nginx refuses its configuration")
    process = processes.start("nginx", ["nginx", "-c", path, "-p", directory])
    process.wait_for_port(port)
    return Subject(
        "nginx", f"nginx, `map` of {KEYS:,} keys: 200 or 401", process, port, PATH, f"Bearer {key}", BODY, unknown(401),
        headers=FORWARDED)


def start_haproxy(processes: Processes, directory: str, key: str, response: Response | None) -> Subject:
    """The gate's work: who the key belongs to, how much quota is left, and both in the same headers.

    - Parameter response: the gate's; its headers are those that HAProxy writes.
    """
    port = free_port()
    headers = response.headers if response else SAMPLE_HEADERS
    identity = [(name, value) for name, value in headers if name.lower().startswith("x-keybearer-")]
    with open(os.path.join(directory, "haproxy.map"), "w") as file:
        for number, one in enumerate(keys_with(key)):
            # The account is each key's own, the rest as the gate has it; headers are separated by a bar.
            values = [f"usr_{number:020}" if name.lower() == "x-keybearer-user" else value for name, value in identity]
            file.write(f"{one} {'|'.join(values)}\n")
    written = " ".join(
        f'hdr {name} "{haproxy_value(name, value, [known for known, _ in identity])}"' for name, value in headers
        if name.lower() not in ("content-type", "content-length", "connection", "keep-alive"))
    path = os.path.join(directory, "haproxy.cfg")
    with open(path, "w") as file:
        file.write(HAPROXY.format(
            port=port, directory=directory, limit=HOURLY_LIMIT, body=escaped(BODY), headers=written))
    run(["haproxy", "-c", "-q", "-f", path], "HAProxy refuses its configuration")
    process = processes.start("haproxy", ["haproxy", "-db", "-f", path])
    process.wait_for_port(port)
    subject = Subject(
        "haproxy", f"HAProxy, map of {KEYS:,} keys and `stick-table`, the gate's headers", process, port, PATH,
        f"Bearer {key}", BODY, unknown(401), headers=FORWARDED)
    missing = {name.lower() for name, _ in headers} - {name.lower() for name, _ in subject.check().headers}
    if missing - {"connection", "keep-alive"}:
        raise Failure(f"haproxy does not answer the gate's fields {sorted(missing)}")
    return subject


def haproxy_value(name: str, value: str, identity: list[str]) -> str:
    """What HAProxy writes into one of the gate's headers: computed for every request wherever the gate does so."""
    computed = {
        "date": "%[date,http_date]",
        "x-request-id": "req_%rt",
        "ratelimit": r'\"hourly\";r=%[var(txn.remaining)];t=%[var(txn.seconds)]',
        "x-ratelimit-remaining": "%[var(txn.remaining)]",
        "x-ratelimit-reset": "%[date,add(txn.seconds)]",
    }
    if name in identity:
        return f"%[var(txn.identity),field({identity.index(name) + 1},|)]"
    return computed.get(name.lower()) or escaped(value.replace("%", "%%"))


def escaped(text: str) -> str:
    """Text between double quotes of HAProxy's configuration."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")


def keys_with(key: str) -> list[str]:
    keys = forged_keys(KEYS - 1)
    keys.insert(KEYS // 2, key)
    return keys


def unknown(status: int, scheme: str = "Bearer") -> tuple[str, int]:
    """A key of the right format that nobody has, and the status that it must get."""
    return f"{scheme} {forged_keys(1)[0]}", status


def start_django(processes: Processes, directory: str, name: str, title: str, refusal: tuple[str, int]) -> Subject:
    """One of the Django projects under Benchmarks/peers, with one valid token."""
    programs = os.path.join(preparation.VENV, "bin")
    environment = dict(
        os.environ, BENCHMARK_DATABASE=os.path.join(directory, f"{name}.sqlite3"), PYTHONDONTWRITEBYTECODE="1")
    issued = run([os.path.join(programs, "python"), "-m", f"{name}_site.issue"], f"{name}: making a token",
                 cwd=preparation.PEERS, env=environment)
    port = free_port()
    process = processes.start(
        name, [os.path.join(programs, "gunicorn"), "--workers", "2", "--worker-class", "sync", "--no-control-socket",
               "--log-level", "warning", "--bind", f"127.0.0.1:{port}", f"{name}_site.wsgi"],
        directory=preparation.PEERS, environment=environment)
    process.wait_for_port(port)
    return Subject(name, title, process, port, "/api/v1/things", last_line(issued), BODY, refusal, share=0.4)


def start_knox(processes: Processes, directory: str) -> Subject:
    token = "".join(random.choices("0123456789abcdef", k=64))
    return start_django(processes, directory, "knox", "django-rest-knox, gunicorn, SQLite", (f"Token {token}", 401))


def start_apikey(processes: Processes, directory: str) -> Subject:
    # It is a permission, not an authentication: a wrong key is forbidden.
    return start_django(
        processes, directory, "apikey", "djangorestframework-api-key, gunicorn, SQLite",
        ("Api-Key AAAAAAAA.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 403))
