// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Node's fetch: makes the requests of the plan on standard input, prints one result a line.
'use strict';

const { createHash } = require('crypto');
const { readFileSync } = require('fs');

async function make(base, r) {
  const started = performance.now();
  const result = { path: r.path };
  try {
    const headers = { ...r.headers };
    if (r.close) headers.Connection = 'close';
    const body = r.method === 'POST' ? 'b'.repeat(r.body_sz) : undefined;
    const res = await fetch(base + r.path, { method: r.method, headers, body, redirect: 'manual' });
    const bytes = Buffer.from(await res.arrayBuffer());
    result.status = res.status;
    result.body_sz = bytes.length;
    result.sha256 = createHash('sha256').update(bytes).digest('hex');
  } catch (error) {
    result.error = String(error.cause || error);
  }
  result.seconds = (performance.now() - started) / 1000;
  return result;
}

(async () => {
  const plan = JSON.parse(readFileSync(0, 'utf8'));
  for (const r of plan.requests) console.log(JSON.stringify(await make(plan.base, r)));
})();
