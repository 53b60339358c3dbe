// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
package spantap.test;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.client.RestTemplate;

/**
 * The application of tests/truth, whose backend is {@code --backend=PORT}.
 *
 * <p>Modes: one (RestTemplate); two (one after the other); none; future (on a pool, waited for); later (on a pool, the
 * answer is given when it is done: the servlet's thread does not wait); after (on a pool, for which nobody waits).
 */
@RestController
class Truth {
    private final RestTemplate client = new RestTemplate();
    private final ExecutorService pool = Executors.newFixedThreadPool(8);

    @Value("${backend:0}")
    private int backend;

    private String call(String mode, String id, int k) {
        return client.getForObject("http://127.0.0.1:" + backend + "/b/" + mode + "/" + id + "/" + k, String.class);
    }

    @GetMapping("/{mode}/{id:i\\d+}")
    String handle(@PathVariable String mode, @PathVariable String id) throws Exception {
        switch (mode) {
            case "one" -> call(mode, id, 0);
            case "two" -> call(mode, id, call(mode, id, 0).isEmpty() ? 9 : 1);
            case "future" -> pool.submit(() -> call(mode, id, 0)).get();
            case "after" -> pool.submit(() -> call(mode, id, 0));
            default -> { }
        }
        return id;
    }

    @GetMapping("/later/{id:i\\d+}")
    CompletableFuture<String> later(@PathVariable String id) {
        return CompletableFuture.supplyAsync(() -> call("later", id, 0), pool).thenApply(answer -> id);
    }
}
