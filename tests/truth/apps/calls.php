<?php
// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * PHP, behind FPM or its own server; the backend's port is in $BACKEND.
 *
 * Modes: one (curl); file (file_get_contents); two (one after the other); multi (two at once, by curl_multi); none;
 * after (once the answer is sent: FPM only).
 */
[, $mode, $id] = explode('/', parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH));

function url(int $k): string
{
	global $mode, $id;
	return 'http://127.0.0.1:' . getenv('BACKEND') . "/b/$mode/$id/$k";
}

function handle_of(int $k): CurlHandle
{
	$curl = curl_init(url($k));
	curl_setopt_array($curl, [CURLOPT_RETURNTRANSFER => true, CURLOPT_TIMEOUT => 20, CURLOPT_PROXY => '']);
	return $curl;
}

function both(): void
{
	$multi = curl_multi_init();
	foreach ([0, 1] as $k)
		curl_multi_add_handle($multi, handle_of($k));
	do {
		curl_multi_exec($multi, $running);
		curl_multi_select($multi);
	} while ($running);
}

if ($mode === 'one' || $mode === 'two')
	curl_exec(handle_of(0));
if ($mode === 'two')
	curl_exec(handle_of(1));
if ($mode === 'file')
	file_get_contents(url(0));
if ($mode === 'multi')
	both();
header('Content-Length: ' . strlen($id));
echo $id;
if ($mode === 'after') {
	fastcgi_finish_request();
	curl_exec(handle_of(0));
}
