# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Starters of the proxies: each passes /MODE/iN on as /b/MODE/iN/0. And of PHP-FPM, which stands behind one."""

import json

from harness.proc import VENV, find, free_port, listens

from .start import APPS

# Written anew for each bed. `return` would answer before limit_req is asked: /local/ is a file, whose include is what
# names the request. `cached`: ten requests, of numbers that differ in the last digit, share an answer; those that come meanwhile
# wait for the first one's, and make a call themselves after 20 ms. `sub` makes two more calls: one before its own, one whose
# answer nobody reads.
_NGINX = """
daemon off; worker_processes {workers}; user root; error_log stderr warn; pid nginx.pid;
events {{ worker_connections 1024; multi_accept on; }}
http {{
  access_log off; keepalive_requests 1000000; default_type text/plain;
  client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
  limit_req_zone $server_port zone=z:1m rate=400r/s;
  upstream behind {{ {servers} {keepalive} }}
  proxy_cache_path cache keys_zone=c:1m; map $request_uri $ten {{ ~^(.*).$ $1; }}
  proxy_http_version 1.1; proxy_set_header Connection {connection}; proxy_set_header Host 127.0.0.1:{backend};
  proxy_next_upstream error timeout http_503 non_idempotent; proxy_next_upstream_tries {tries};
  server {{
    listen 127.0.0.1:{port} backlog=1024; root docs; {limit}
    location / {{ proxy_pass http://behind/b$request_uri/0; }}
    location /local/ {{ ssi on; ssi_types *; try_files /local =404; }}
    location /cached/ {{
      proxy_cache c; proxy_cache_key $ten; proxy_cache_valid 200 1m; proxy_cache_lock on; proxy_cache_lock_timeout 20ms;
      add_header X-Request $request_uri; proxy_pass http://behind/b$request_uri/0;
    }}
    location /sub/ {{ auth_request /auth; mirror /mirror; proxy_pass http://behind/b$request_uri/0; }}
    location = /auth {{ internal; proxy_pass http://behind/b$request_uri/1; }}
    location = /mirror {{ internal; proxy_pass http://behind/b$request_uri/2; }}
  }}
}}
"""


def nginx(keep, workers=1, limit=False, tries=1):
    """`keep`: connections kept to the backend; `limit`: requests are delayed to 400 a second; `tries`: of each call."""
    def start(bed):
        docs = bed.folder / "docs"
        docs.mkdir()
        (docs / "local").write_text('<!--#echo var="request_uri" -->\n')
        (bed.folder / "nginx.conf").write_text(_NGINX.format(
            port=bed.port, backend=bed.backend, workers=workers, tries=tries,
            servers=f"server 127.0.0.1:{bed.backend} max_fails=0; " * tries,
            keepalive=f"keepalive {keep};" if keep else "", connection="''" if keep else "close",
            limit="limit_req zone=z burst=1000;" if limit else ""))
        return [bed.daemon("app", [find("nginx"), "-p", bed.folder, "-c", bed.folder / "nginx.conf", "-e", "stderr"])]
    return start

_FASTCGI = """
daemon off; worker_processes 1; user root; error_log stderr warn; pid nginx.pid;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp;
  scgi_temp_path tmp;
  upstream behind {{ server {listen}; {pool} }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      include /etc/nginx/fastcgi_params; fastcgi_param SCRIPT_FILENAME {script}; fastcgi_param BACKEND {backend};
      fastcgi_pass behind; {keep}
    }}
  }}
}}
"""


def php_fpm(tcp=False, keep=0):
    """nginx passes all to PHP-FPM, which makes the calls. `keep`: connections kept, of eight that are served at once."""
    def start(bed):
        socket, port = bed.folder / "fpm.sock", free_port()
        listen = f"127.0.0.1:{port}" if tcp else socket
        (bed.folder / "fpm.conf").write_text(
            f"[global]\nerror_log = /dev/stderr\ndaemonize = no\n[www]\nuser = root\ngroup = root\nlisten = {listen}\n"
            f"pm = static\npm.max_children = 8\nlisten.backlog = 256\nenv[BACKEND] = {bed.backend}\n")
        (bed.folder / "nginx.conf").write_text(_FASTCGI.format(
            port=bed.port, backend=bed.backend, script=APPS / "calls.php", listen=listen if tcp else f"unix:{socket}",
            pool=f"keepalive {keep};" if keep else "", keep="fastcgi_keep_conn on;" if keep else ""))
        fpm = bed.daemon("fpm", [find("php-fpm8.2", "php-fpm"), "-F", "-R", "-y", bed.folder / "fpm.conf"],
                         ready=(lambda: listens(port)) if tcp else socket.exists)
        bed.daemons.append(fpm)
        return [bed.daemon("app", [find("nginx"), "-p", bed.folder, "-c", bed.folder / "nginx.conf", "-e", "stderr"])]
    return start


_HAPROXY = """
global
  maxconn 2000
  nbthread {threads}
defaults
  mode http
  timeout client 30s
  timeout server 30s
  timeout connect 5s
  timeout queue 30s
listen all
  bind 127.0.0.1:{port}
  http-request return status 200 content-type text/plain lf-string "%[path]" if {{ path_beg /local/ }}
  http-request set-path /b%[path]/0
  http-reuse {reuse}
  server behind 127.0.0.1:{backend} {server}
"""


def haproxy(reuse="always", maxconn=0, threads=1):
    """`maxconn`: connections to the backend; further requests wait in a queue."""
    def start(bed):
        (bed.folder / "haproxy.cfg").write_text(_HAPROXY.format(
            port=bed.port, backend=bed.backend, reuse=reuse, threads=threads, server=f"maxconn {maxconn}" if maxconn else ""))
        return [bed.daemon("app", [find("haproxy"), "-db", "-f", bed.folder / "haproxy.cfg"])]
    return start


def _envoy_config(bed, requests, connections):
    typed = "type.googleapis.com/envoy.extensions."
    route = {"match": {"prefix": "/"}, "route": {"cluster": "behind", "timeout": "30s", "regex_rewrite": {
        "pattern": {"regex": "^(.*)$"}, "substitution": "/b\\1/0"}}}
    manager = {"@type": typed + "filters.network.http_connection_manager.v3.HttpConnectionManager", "stat_prefix": "a",
               "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
               "http_filters": [{"name": "router", "typed_config": {"@type": typed + "filters.http.router.v3.Router"}}]}
    cluster = {"name": "behind", "type": "STATIC", "connect_timeout": "5s", "load_assignment": {
        "cluster_name": "behind", "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(bed.backend)}}]}]}}
    if requests:
        name = typed + "upstreams.http.v3.HttpProtocolOptions"
        cluster["typed_extension_protocol_options"] = {name.rpartition("/")[2]: {
            "@type": name, "common_http_protocol_options": {"max_requests_per_connection": requests},
            "explicit_http_config": {"http_protocol_options": {}}}}
    if connections:
        cluster["circuit_breakers"] = {"thresholds": [{"max_connections": connections, "max_pending_requests": 1000}]}
    listener = {"address": _address(bed.port), "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def _address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def envoy(requests=0, connections=0, threads=1):
    """`requests`: at most so many on a connection to the backend; `connections`: at most so many, the rest waits."""
    def start(bed):
        path = bed.folder / "envoy.json"
        path.write_text(json.dumps(_envoy_config(bed, requests, connections)))
        binary, = VENV.parent.glob("lib/python3*/site-packages/envoy/_bin/envoy")
        argv = [binary, "-c", path, "--concurrency", threads, "--disable-hot-restart", "-l", "warning"]
        return [bed.daemon("app", argv)]
    return start
