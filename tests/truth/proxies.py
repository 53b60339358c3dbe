# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Starters of the proxies: each passes /MODE/iN on as /b/MODE/iN/0."""

from harness.proc import find

# Written anew for each bed. `return` would answer before limit_req is asked: /local/ is a file, whose include is what
# names the request. `sub` makes two more calls: one before its own, one whose answer nobody reads.
_NGINX = """
daemon off; worker_processes {workers}; user root; error_log stderr warn; pid nginx.pid;
events {{ worker_connections 1024; multi_accept on; }}
http {{
  access_log off; keepalive_requests 1000000; default_type text/plain;
  client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
  limit_req_zone $server_port zone=z:1m rate=400r/s;
  upstream behind {{ {servers} {keepalive} }}
  proxy_http_version 1.1; proxy_set_header Connection {connection}; proxy_set_header Host 127.0.0.1:{backend};
  proxy_next_upstream error timeout http_503 non_idempotent; proxy_next_upstream_tries {tries};
  server {{
    listen 127.0.0.1:{port} backlog=1024; root docs; {limit}
    location / {{ proxy_pass http://behind/b$request_uri/0; }}
    location /local/ {{ ssi on; ssi_types *; try_files /local =404; }}
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
