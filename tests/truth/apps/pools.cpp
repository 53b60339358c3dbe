// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * pools PORT BACKEND: a thread for each connection and a pool of eight workers (std::queue, condition_variable).
 * Modes: future (a worker calls, the handler waits for its future); fan (two of them); two (one worker, two calls);
 * worker (it calls and answers); same (the handler's own thread calls); none; lock (as future, both pass an application's
 * mutex on the way); idle (as future, without a call); reply (a worker answers, without a call); after (not waited for); keep
 * (the handler's own thread, on a connection of a pool that all share). A thread made at the start asks for health on the
 * idle connections of that pool, until no request came for 300 ms.
 */
#include "http.h"
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <queue>
#include <string>
#include <thread>
#include <vector>

static std::mutex mutex, app_mutex;
static std::condition_variable changed;
static std::queue<std::function<void()>> jobs;
static std::vector<int> pool;
static std::mutex pool_mutex;
static std::atomic<long> last_ms;
static int backend;

static long now_ms()
{
	using namespace std::chrono;
	return (long)duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

/* A connection of the pool; -1 when none is idle. */
static int pool_take()
{
	std::lock_guard<std::mutex> lock(pool_mutex);
	int fd = pool.empty() ? -1 : pool.back();

	if (fd >= 0)
		pool.pop_back();
	return fd;
}

static void pool_put(int fd)
{
	std::lock_guard<std::mutex> lock(pool_mutex);
	pool.push_back(fd);
}

static void call_kept(const request &req)
{
	char path[300];
	int fd = pool_take();

	if (fd < 0)
		fd = connect_to(backend);
	path_below(&req, 0, path);
	ask(fd, backend, path);
	pool_put(fd);
}

static void check_health()
{
	for (int n = 0;; usleep(3000)) {
		int fd = now_ms() - last_ms < 300 ? pool_take() : -1;

		if (fd < 0)
			continue;
		ask(fd, backend, ("/b/health/x" + std::to_string(n++) + "/0").c_str());
		pool_put(fd);
	}
}

static void work()
{
	for (;;) {
		std::function<void()> job;
		{
			std::unique_lock<std::mutex> lock(mutex);
			changed.wait(lock, [] { return !jobs.empty(); });
			job = std::move(jobs.front());
			jobs.pop();
		}
		job();
	}
}

static void put(std::function<void()> job)
{
	{
		std::lock_guard<std::mutex> lock(mutex);
		jobs.push(std::move(job));
	}
	changed.notify_one();
}

static std::future<void> submit(std::function<void()> job)
{
	auto done = std::make_shared<std::promise<void>>();

	put([=] {
		job();
		done->set_value();
	});
	return done->get_future();
}

static void pass_lock()
{
	std::lock_guard<std::mutex> lock(app_mutex);
	usleep(100);
}

/* Whether the answer is the handler's to give. */
static bool handle(const request &req)
{
	std::string mode = req.mode;

	last_ms = now_ms();
	if (mode == "future") {
		submit([=] { call(backend, &req, 0); }).get();
	} else if (mode == "fan") {
		auto first = submit([=] { call(backend, &req, 0); }), second = submit([=] { call(backend, &req, 1); });
		first.get();
		second.get();
	} else if (mode == "two") {
		submit([=] {
			call(backend, &req, 0);
			call(backend, &req, 1);
		}).get();
	} else if (mode == "lock") {
		auto done = submit([=] {
			pass_lock();
			call(backend, &req, 0);
			pass_lock();
		});
		pass_lock();
		done.get();
	} else if (mode == "same") {
		call(backend, &req, 0);
	} else if (mode == "keep") {
		call_kept(req);
	} else if (mode == "idle") {
		submit([] { usleep(500); }).get();
	} else if (mode == "after") {
		put([=] { call(backend, &req, 0); });
	}
	return mode != "worker" && mode != "reply";
}

/* On a worker: all of a request that its handler left to it. */
static void finish(int fd, const request &req)
{
	if (!strcmp(req.mode, "worker"))
		call(backend, &req, 0);
	else
		usleep(300);
	answer(fd, &req);
	if (!req.keep)
		close(fd);
}

static void serve(int fd)
{
	reader in{};
	request req;

	in.fd = fd;
	while (!read_request(&in, &req)) {
		if (!handle(req)) {
			put([=] { finish(fd, req); });
			if (!req.keep)
				return; /* the worker closes */
			continue;
		}
		answer(fd, &req);
		if (!req.keep)
			break;
	}
	close(fd);
}

int main(int argc, char **argv)
{
	int listener, fd;

	if (argc != 3)
		return 2;
	backend = atoi(argv[2]);
	listener = listen_on(atoi(argv[1]));
	for (int i = 0; i < 8; i++)
		std::thread(work).detach();
	std::thread(check_health).detach();
	while ((fd = accept_one(listener)) >= 0)
		std::thread(serve, fd).detach();
	return 1;
}
