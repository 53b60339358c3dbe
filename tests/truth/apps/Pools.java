// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URL;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Pools PORT BACKEND [WORKERS]: the JDK's own server on 32 threads, calls on pools of 8 or so many.
 *
 * Modes: future (submitted and waited for); fan (two of them); two (one job, two calls); chain (CompletableFuture: a call
 * on one pool, another on the second, the answer where that ends); worker (it calls and answers); same (the handler's own
 * thread); client (the same, java.net.http's client, which has threads of its own); async (its sendAsync); none; idle (as future, without a call); after (submitted, not waited for); ping (the first one
 * has a scheduler call for it, as long as requests come). To mislead: latch (as fan, but waited for together); turns
 * (submitted, not waited for; it calls under a lock that the handler takes twice meanwhile); permit (it calls, and so does
 * the handler, each by one of three permits); bare (two jobs, one of them without a call, waited for together).
 */
public class Pools {
    private static final ReentrantLock LOCK = new ReentrantLock();
    private static final Semaphore PERMITS = new Semaphore(3);
    private static ExecutorService FIRST, SECOND;
    private static final HttpClient CLIENT = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private static final ScheduledExecutorService TIMER = Executors.newScheduledThreadPool(1);
    private static final AtomicBoolean PINGING = new AtomicBoolean();
    private static volatile long last;
    private static int pings;
    private static String backend;

    private static int call(String mode, String id, int k) {
        try {
            URL url = new URL("http://127.0.0.1:" + backend + "/b/" + mode + "/" + id + "/" + k);
            HttpURLConnection connection = (HttpURLConnection) url.openConnection();
            try (InputStream in = connection.getInputStream()) {
                return in.readAllBytes().length;
            }
        } catch (IOException e) {
            e.printStackTrace();
            return -1;
        }
    }

    private static HttpRequest request(String mode, String id) {
        return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + backend + "/b/" + mode + "/" + id + "/0")).build();
    }

    private static void answer(HttpExchange exchange, String id) {
        try {
            byte[] body = id.getBytes();
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        } catch (IOException e) {
            e.printStackTrace();
        }
    }

    private static void ping(String id) {
        if (System.currentTimeMillis() - last < 300) {
            call("ping", id, pings++);
        }
    }

    private static int callLocked(String mode, String id) {
        LOCK.lock();
        try {
            return call(mode, id, 0);
        } finally {
            LOCK.unlock();
        }
    }

    private static int callPermitted(String mode, String id, int k) {
        PERMITS.acquireUninterruptibly();
        try {
            return call(mode, id, k);
        } finally {
            PERMITS.release();
        }
    }

    private static void passLock() throws InterruptedException {
        LOCK.lock();
        try {
            Thread.sleep(1);
        } finally {
            LOCK.unlock();
        }
    }

    private static void together(Runnable... jobs) throws InterruptedException {
        CountDownLatch done = new CountDownLatch(jobs.length);
        for (Runnable job : jobs) {
            FIRST.execute(() -> {
                job.run();
                done.countDown();
            });
        }
        done.await();
    }

    private static void handle(HttpExchange exchange) throws Exception {
        String[] part = exchange.getRequestURI().getPath().split("/");
        String mode = part[1], id = part[2];
        last = System.currentTimeMillis();
        switch (mode) {
            case "future":
                FIRST.submit(() -> call(mode, id, 0)).get();
                break;
            case "fan":
                Future<Integer> a = FIRST.submit(() -> call(mode, id, 0)), b = FIRST.submit(() -> call(mode, id, 1));
                a.get();
                b.get();
                break;
            case "two":
                FIRST.submit(() -> call(mode, id, 0) + call(mode, id, 1)).get();
                break;
            case "chain":
                CompletableFuture.supplyAsync(() -> call(mode, id, 0), FIRST)
                        .thenApplyAsync(n -> call(mode, id, 1), SECOND)
                        .thenAccept(n -> answer(exchange, id));
                return;
            case "worker":
                FIRST.execute(() -> {
                    call(mode, id, 0);
                    answer(exchange, id);
                });
                return;
            case "same":
                call(mode, id, 0);
                break;
            case "client":
                CLIENT.send(request(mode, id), BodyHandlers.ofString());
                break;
            case "async":
                CLIENT.sendAsync(request(mode, id), BodyHandlers.ofString()).thenAccept(got -> answer(exchange, id));
                return;
            case "latch":
                together(() -> call(mode, id, 0), () -> call(mode, id, 1));
                break;
            case "bare":
                together(() -> call(mode, id, 0), () -> { });
                break;
            case "turns":
                FIRST.submit(() -> callLocked(mode, id));
                passLock();
                passLock();
                break;
            case "permit":
                Future<Integer> there = FIRST.submit(() -> callPermitted(mode, id, 0));
                callPermitted(mode, id, 1);
                there.get();
                break;
            case "idle":
                FIRST.submit(() -> {
                    Thread.sleep(1);
                    return 0;
                }).get();
                break;
            case "ping":
                if (!PINGING.getAndSet(true)) {
                    TIMER.scheduleAtFixedRate(() -> ping(id), 3, 3, TimeUnit.MILLISECONDS);
                }
                break;
            case "after":
                FIRST.submit(() -> call(mode, id, 0));
                break;
            default:
        }
        answer(exchange, id);
    }

    public static void main(String[] args) throws IOException {
        backend = args[1];
        int workers = args.length > 2 ? Integer.parseInt(args[2]) : 8;
        FIRST = Executors.newFixedThreadPool(workers);
        SECOND = Executors.newFixedThreadPool(workers);
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(args[0])), 256);
        server.setExecutor(Executors.newFixedThreadPool(32));
        server.createContext("/", exchange -> {
            try {
                handle(exchange);
            } catch (Exception e) {
                e.printStackTrace();
            }
        });
        server.start();
    }
}
