// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * pools PORT BACKEND [WORKERS]: a thread for each connection and a pool of eight workers or so many (std::queue,
 * condition_variable).
 * Modes: future (a worker calls, the handler waits for its future); fan (two of them); two (one worker, two calls);
 * worker (it calls and answers); same (the handler's own thread calls); none; lock (as future, both pass an application's
 * mutex on the way); idle (as future, without a call); reply (a worker answers, without a call); after (not waited for).
 * To mislead: latch (as fan, but waited for together); bare (the same, one of them without a call); turns (not waited for; it
 * calls under a lock of a condition variable that the handler takes twice meanwhile).
 */
#include "http.h"
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <queue>
#include <string>
#include <thread>

static std::mutex mutex, app_mutex;
static std::condition_variable changed;
static std::queue<std::function<void()>> jobs;
static int backend;

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

static void together(std::function<void()> one, std::function<void()> other)
{
	struct latch {
		std::mutex mutex;
		std::condition_variable zero;
		int left = 2;
	};
	auto l = std::make_shared<latch>();

	for (auto &job : {one, other})
		put([=] {
			job();
			std::lock_guard<std::mutex> lock(l->mutex);
			if (!--l->left)
				l->zero.notify_one();
		});
	std::unique_lock<std::mutex> lock(l->mutex);
	l->zero.wait(lock, [&] { return !l->left; });
}

/* A lock whose waiters sleep as a queue's do. */
static std::mutex turn_mutex;
static std::condition_variable turn_free;
static bool turn_taken;

static void in_turn(const std::function<void()> &job)
{
	std::unique_lock<std::mutex> lock(turn_mutex);
	turn_free.wait(lock, [] { return !turn_taken; });
	turn_taken = true;
	lock.unlock();
	job();
	lock.lock();
	turn_taken = false;
	turn_free.notify_one();
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
	} else if (mode == "latch") {
		together([=] { call(backend, &req, 0); }, [=] { call(backend, &req, 1); });
	} else if (mode == "bare") {
		together([=] { call(backend, &req, 0); }, [] {});
	} else if (mode == "turns") {
		put([=] { in_turn([=] { call(backend, &req, 0); }); });
		in_turn([] { usleep(1000); });
		in_turn([] { usleep(1000); });
	} else if (mode == "same") {
		call(backend, &req, 0);
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

	if (argc < 3)
		return 2;
	backend = atoi(argv[2]);
	listener = listen_on(atoi(argv[1]));
	for (int i = argc > 3 ? atoi(argv[3]) : 8; i > 0; i--)
		std::thread(work).detach();
	while ((fd = accept_one(listener)) >= 0)
		std::thread(serve, fd).detach();
	return 1;
}
