<?php
// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// The routes that all test servers share, behind PHP-FPM.
[, $route, $id] = explode('/', $_SERVER['REQUEST_URI'] . '//');
header('Content-Type: text/plain');

function sized(string $body): void
{
	header('Content-Length: ' . strlen($body));
	echo $body;
}

function chunked(): void
{
	for ($i = 0; $i < 3; $i++) {
		echo "piece $i\n";
		flush();
	}
}

switch ($route) {
case 'items':
	sized("item $id\n");
	break;
case 'big':
	sized(str_repeat('0123456789abcdef', 2 << 16));
	break;
case 'chunked':
	chunked();
	break;
case 'echo':
	sized('got ' . strlen(file_get_contents('php://input')) . "\n");
	break;
default:
	http_response_code(['empty' => 204, 'same' => 304, 'fail' => 500][$route] ?? 404);
}
