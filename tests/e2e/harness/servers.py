# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The servers under test. All answer the same routes (see plan.py); none was written for spantap: nginx,
Apache, Python's http.server, gunicorn, Node's http, Go's net/http, Spring Boot's Tomcat, PHP-FPM."""

import os
import pathlib

from .proc import APPS, Daemon, answers, find, free_port, listens, part

BIG_SZ = 2 << 20
# Above the server's 8 KiB buffer, so that Apache cannot know the length before it sends.
CHUNKED_SZ = 100_000


class Server:
    """A started server: `name`, `pid` (the parent of its workers), `port`, and what it cannot do."""

    def __init__(self, name, port, daemons, lacks=(), via=None, asks=False):
        self.name, self.port, self.daemons = name, port, daemons
        self.pid = daemons[0].pid
        self.lacks = frozenset(lacks)   # routes that it does not have
        self.questions = 0              # for its own count (load.nginx_requests)
        self.via = via                  # the HTTP server behind it
        self.asks = asks or bool(via)   # it makes a request itself for each that it gets

    @property
    def base(self):
        return f"http://127.0.0.1:{self.port}"

    def stop(self):
        for daemon in self.daemons:
            daemon.stop()
        if self.via:
            self.via.stop()


def _files(folder):
    """Static content: one KiB, two MiB, and a page with an include, which servers send in chunks."""
    docs = pathlib.Path(folder) / "docs"
    docs.mkdir()
    (docs / "item.bin").write_bytes(b"0123456789abcdef" * 64)
    (docs / "big.bin").write_bytes(os.urandom(BIG_SZ))
    (docs / "chunked.shtml").write_text("<!--#set var='a' value='b' -->" + "x" * CHUNKED_SZ +
                                        "<!--#echo var='a' -->\n")
    (docs / "app.php").write_bytes((APPS / "index.php").read_bytes())
    return docs


_NGINX = """
daemon off; master_process on; worker_processes 2; user root; error_log stderr warn; pid nginx.pid;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_max_body_size 16m; keepalive_requests 1000000; default_type text/plain;
  client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp;
  scgi_temp_path tmp; sendfile on;
  {upstream}
  server {{
    listen 127.0.0.1:{port} backlog=1024; root docs;
    location = /status {{ stub_status; }}
    {locations}
  }}
}}
"""

_STATIC = """
    location /items/ { try_files /item.bin =404; }
    location /big/ { try_files /big.bin =404; }
    location /chunked/ { ssi on; ssi_types *; try_files /chunked.shtml =404; }
    location /empty/ { return 204; }
    location /same/ { return 304; }
    location /fail/ { return 500; }
    location /echo/ { return 200 "got $content_length\\n"; }
"""

# The Host header would else be the upstream block's name, without a port.
_PROXY = """
    location / {
      proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection '';
      proxy_set_header Host 127.0.0.1:%d; proxy_read_timeout 60;
    }
"""

_FASTCGI = """
    location / {
      include /etc/nginx/fastcgi_params; fastcgi_param SCRIPT_FILENAME $document_root/app.php;
      fastcgi_pass behind; %s
    }
"""


def _nginx_daemon(folder, port, locations, upstream=""):
    folder = pathlib.Path(folder)
    (folder / "nginx.conf").write_text(_NGINX.format(port=port, locations=locations, upstream=upstream))
    return Daemon([find("nginx"), "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"],
                  folder / "nginx.log", lambda: answers(port))


def nginx(folder):
    _files(folder)
    port = free_port()
    return Server("nginx", port, [_nginx_daemon(folder, port, _STATIC)])


def nginx_proxy(folder):
    """nginx as client and server at once: proxy_pass to Go's net/http over kept connections."""
    inner = pathlib.Path(folder) / "behind"
    inner.mkdir()
    behind = go(inner)
    port = free_port()
    upstream = f"upstream behind {{ server 127.0.0.1:{behind.port}; keepalive 8; }}"
    return Server("nginx_proxy", port, [_nginx_daemon(folder, port, _PROXY % behind.port, upstream)], via=behind)


def php_fpm(folder, unix=False, keep=False):
    """nginx in front of PHP-FPM (daemons[1]), over TCP or a Unix socket; `keep`: on kept connections."""
    folder = pathlib.Path(folder)
    _files(folder)
    port, socket_path = free_port(), folder / "fpm.sock"
    listen = str(socket_path) if unix else f"127.0.0.1:{free_port()}"
    (folder / "fpm.conf").write_text(
        f"[global]\nerror_log = /dev/stderr\ndaemonize = no\n[www]\nuser = root\ngroup = root\n"
        f"listen = {listen}\npm = static\npm.max_children = {8 if keep else 2}\ncatch_workers_output = no\n"
        f"php_admin_value[post_max_size] = 16M\n")
    fpm = Daemon([find("php-fpm8.2", "php-fpm"), "-F", "-R", "-y", folder / "fpm.conf"], folder / "fpm.log",
                 socket_path.exists if unix else lambda: listens(int(listen.rpartition(":")[2])))
    upstream = f"upstream behind {{ server {'unix:' if unix else ''}{listen}; {'keepalive 2;' if keep else ''} }}"
    try:
        front = _nginx_daemon(folder, port, _FASTCGI % ("fastcgi_keep_conn on;" if keep else ""), upstream)
    except Exception:
        fpm.stop()
        raise
    return Server("php_fpm", port, [front, fpm], lacks=["slow"], asks=True)


_APACHE = """
ServerRoot {folder}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {folder}/apache.pid
ErrorLog /dev/stderr
LogLevel warn
User www-data
Group www-data
{modules}
<IfModule mpm_event_module>
  StartServers 2
  ThreadsPerChild 8
  ServerLimit 2
  MaxRequestWorkers 16
</IfModule>
KeepAliveTimeout 30
MaxKeepAliveRequests 0
DocumentRoot {folder}/docs
TypesConfig /dev/null
AddOutputFilter INCLUDES .shtml
AddType text/html .shtml
<Directory {folder}/docs>
  Options +Includes
  Require all granted
</Directory>
RewriteEngine on
RewriteRule ^/items/ /item.bin [END]
RewriteRule ^/echo/ /item.bin [END]
RewriteRule ^/big/ /big.bin [END]
RewriteRule ^/chunked/ /chunked.shtml [END]
RewriteRule ^/empty/ - [R=204,END]
RewriteRule ^/same/ /item.bin [END]
RewriteRule ^/fail/ - [R=500,END]
"""


def apache(folder):
    folder = pathlib.Path(folder)
    _files(folder)
    port = free_port()
    modules = "".join(f"LoadModule {m}_module /usr/lib/apache2/modules/mod_{m}.so\n"
                      for m in ("mpm_event", "authz_core", "rewrite", "include", "mime", "filter"))
    (folder / "apache.conf").write_text(_APACHE.format(folder=folder, port=port, modules=modules))
    daemon = Daemon([find("apache2"), "-d", folder, "-f", folder / "apache.conf", "-DFOREGROUND"],
                    folder / "apache.log", lambda: answers(port))
    return Server("apache", port, [daemon], lacks=["slow"])


def _simple(name, folder, command, lacks=(), timeout_s=30):
    """A server that is one command; `command(port)` gives its words."""
    port = free_port()
    daemon = Daemon(command(port), pathlib.Path(folder) / f"{name}.log", lambda: answers(port), cwd=APPS,
                    env={"PYTHONDONTWRITEBYTECODE": "1"}, timeout_s=timeout_s)
    return Server(name, port, [daemon], lacks=lacks)


def python(folder):
    return _simple("python", folder, lambda port: [find("python3"), "threaded.py", port])


def python_forking(folder):
    """A process for each connection, gone with it."""
    return _simple("python", folder, lambda port: [find("python3"), "threaded.py", port, "fork"])


def _gunicorn(kind, folder, *extra):
    return _simple(f"gunicorn_{kind}", folder, lambda port: [
        find("gunicorn"), "-k", kind, "-w", "2", "-b", f"127.0.0.1:{port}", *extra, "routes:app"])


def gunicorn_sync(folder):
    return _gunicorn("sync", folder)


def gunicorn_gthread(folder):
    return _gunicorn("gthread", folder, "--threads", "4")


def node(folder):
    return _simple("node", folder, lambda port: [find("node"), "server.js", port])


def go(folder):
    binary = part("gohttp")
    return _simple("go", folder, lambda port: [binary, "serve", port])


def spring(folder):
    jar = part("spring")
    return _simple("spring", folder, lambda port: [
        find("java"), "-Xmx256m", "-XX:TieredStopAtLevel=1", "-jar", jar, f"--server.port={port}",
        "--server.address=127.0.0.1"], lacks=["slow"], timeout_s=60)


ALL = {f.__name__: f for f in (nginx, apache, python, gunicorn_sync, gunicorn_gthread, node, go, php_fpm,
                               nginx_proxy, spring)}
