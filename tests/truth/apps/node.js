// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * node.js PORT BACKEND: Node's http server.
 *
 * Modes: one (await fetch); get (await http.get); two (one after the other); all (Promise.all of three); nested (a call
 * in the callback of a call); timer (await a promise of setTimeout, then a call); immediate; file (after fs.readFile);
 * queued (two calls by an agent of three sockets, which make the calls of all requests);
 * bare (in a callback of setTimeout, without a promise); none; after (the answer is sent first); later (the answer is
 * sent first, the call follows a timer); ping (the first one starts setInterval, which calls for it); chain,
 * tree (see passed).
 */
'use strict';
const http = require('http');
const fs = require('fs');
const timers = require('timers/promises');

const [port, backend] = process.argv.slice(2).map(Number);
const agent = new http.Agent({ keepAlive: true });
const few = new http.Agent({ keepAlive: true, maxSockets: 3 });
let pinging = false;
let last = 0;

const url = (mode, id, k) => `http://127.0.0.1:${backend}/b/${mode}/${id}/${k}`;
const fetched = async (mode, id, k) => (await fetch(url(mode, id, k))).text();

function got(mode, id, k, by = agent) {
	return new Promise((resolve, reject) => {
		http.get(url(mode, id, k), { agent: by }, (answer) => {
			answer.resume();
			answer.on('end', resolve);
		}).on('error', reject);
	});
}

function nested(id, done) {
	http.get(url('nested', id, 0), { agent }, (first) => {
		first.resume();
		first.on('end', () => http.get(url('nested', id, 1), { agent }, (second) => {
			second.resume();
			second.on('end', done);
		}));
	});
}

function ping(id) {
	let k = 0;
	const timer = setInterval(() => {
		if (Date.now() - last > 300)
			clearInterval(timer);
		else
			got('ping', id, k++);
	}, 5);
}

const modes = {
	one: (id) => fetched('one', id, 0),
	get: (id) => got('get', id, 0),
	two: async (id) => { await fetched('two', id, 0); await got('two', id, 1); },
	all: (id) => Promise.all([fetched('all', id, 0), got('all', id, 1), got('all', id, 2)]),
	nested: (id) => new Promise((done) => nested(id, done)),
	timer: async (id) => { await timers.setTimeout(Math.random() * 10); await got('timer', id, 0); },
	immediate: async (id) => { await timers.setImmediate(); await got('immediate', id, 0); },
	file: async (id) => { await fs.promises.readFile(__filename); await got('file', id, 0); },
	bare: (id) => new Promise((done) => setTimeout(() => got('bare', id, 0).then(done), Math.random() * 10)),
	queued: async (id) => { await got('queued', id, 0, few); await got('queued', id, 1, few); },
	none: async () => {},
};

/* What is passed on as it was asked, and in how many calls at once. */
const passed = { chain: 1, tree: 2 };

function passOn(path, calls) {
	const below = (k) => path.startsWith('/b/') ? `${path}.${k}` : `/b${path}/${k}`;
	const call = async (k) => (await fetch(`http://127.0.0.1:${backend}${below(k)}`)).text();
	return Promise.all(Array.from({ length: calls }, (_, k) => call(k)));
}

const afterwards = {
	after: (id) => got('after', id, 0),
	later: (id) => setTimeout(() => got('later', id, 0), Math.random() * 10),
	ping: (id) => { if (!pinging) { pinging = true; ping(id); } },
};

http.createServer(async (request, response) => {
	const path = request.url.split('/');
	const [mode, id] = path.slice(path[1] === 'b' && passed[path[2]] ? 2 : 1);
	last = Date.now();
	if (modes[mode])
		await modes[mode](id);
	if (passed[mode])
		await passOn(request.url, passed[mode]);
	response.end(mode === 'b' ? request.url : id);
	if (afterwards[mode])
		afterwards[mode](id);
}).listen(port, '127.0.0.1', 256);
