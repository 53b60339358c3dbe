/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* How a process's calls find the requests that caused them, and where they do not. */
#include "list_show.h"

#include "core/proc.h"

static const struct {
	const char *language; /* st_service.language */
	const char *text;
} by_language[] = {
	{"go",
	 "by goroutine, with those that it makes (Go 1.21 and later); a worker that takes jobs "
	 "from a channel is not followed"},
	{"python",
	 "by thread; asyncio by its contexts, executors by their work items (CPython 3.9 and "
	 "later); gevent and queues of one's own are not followed"},
	{"nodejs",
	 "by async scope, asked at the call and at the answer; what timers and immediates run "
	 "is not followed"},
	{"java",
	 "by thread, where one reads, calls and answers; executors by who wakes whom, while one of "
	 "their threads is free and they have the names that Java gives; Netty and virtual threads "
	 "are not followed"},
	{"dotnet", "not known: .NET's tasks run on whatever thread is free"},
	{"ruby", "by thread; fibers are not followed"},
	{"php", "by thread: a process works on one request"},
};

const char *st_list_show__parents(const struct st_list_item *it)
{
	const char *language = it->proc->service.language;

	if (st_proxy__is_exe(st_str_of(it->proc->exe)))
		return "by what it brought: a call is the request's that is answered with its bytes; what is "
		       "changed on the way (compression), or alike, is not followed";
	for (size_t i = 0; language && i < sizeof(by_language) / sizeof(by_language[0]); i++)
		if (!strcmp(language, by_language[i].language))
			return by_language[i].text;
	return "by thread, where one reads, calls and answers; pools of threads that wait for one queue by who "
	       "wakes whom, while one of them is free; other work that is handed on, and event loops, are "
	       "not followed";
}
