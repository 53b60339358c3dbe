// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Node's http with the routes that all test servers share: `node server.js PORT`.
'use strict';

const http = require('http');

const BIG = Buffer.alloc(2 << 20, '0123456789abcdef');
const STATUS = { empty: 204, same: 304, fail: 500 };

function chunked(res, i = 0) {
  if (i === 3) return res.end();
  // Waiting for each write keeps the pieces apart on the wire.
  res.write(`piece ${i}\n`, () => chunked(res, i + 1));
}

function echo(req, res) {
  let got = 0;
  req.on('data', (piece) => { got += piece.length; });
  req.on('end', () => res.end(`got ${got}\n`));
}

const server = http.createServer((req, res) => {
  const [, route, id] = req.url.split('/');
  if (route === 'chunked') return chunked(res);
  if (route === 'echo' && req.method === 'POST') return echo(req, res);
  if (route === 'slow') {
    res.writeHead(200, { 'Content-Length': 1000 });
    return res.write('beginning');
  }
  const body = { items: `item ${id}\n`, big: BIG }[route];
  if (body !== undefined) {
    res.setHeader('Content-Length', Buffer.byteLength(body));
    return res.end(body);
  }
  res.statusCode = STATUS[route] || 404;
  res.end();
});
server.listen(Number(process.argv[2]), '127.0.0.1');
