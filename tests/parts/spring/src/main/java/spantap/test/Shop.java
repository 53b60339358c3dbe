// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
package spantap.test;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.http.HttpStatus;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;

/** The routes that all test servers share, as a Spring Boot application. */
@SpringBootApplication
@RestController
public class Shop {
    private static final int BIG_SIZE = 2 << 20;

    @GetMapping("/items/{id}")
    String item(@PathVariable String id) {
        return "item " + id + "\n";
    }

    @GetMapping("/big/{id}")
    byte[] big(@PathVariable String id) {
        byte[] body = new byte[BIG_SIZE];
        Arrays.fill(body, (byte) 'b');
        return body;
    }

    /** Each flush ends one chunk on the wire. */
    @GetMapping("/chunked/{id}")
    void chunked(@PathVariable String id, HttpServletResponse response) throws IOException {
        OutputStream out = response.getOutputStream();
        for (int i = 0; i < 3; i++) {
            out.write(("piece " + i + "\n").getBytes(StandardCharsets.US_ASCII));
            out.flush();
        }
    }

    @GetMapping("/empty/{id}")
    @ResponseStatus(HttpStatus.NO_CONTENT)
    void empty(@PathVariable String id) {}

    @GetMapping("/same/{id}")
    @ResponseStatus(HttpStatus.NOT_MODIFIED)
    void same(@PathVariable String id) {}

    @GetMapping("/fail/{id}")
    @ResponseStatus(HttpStatus.INTERNAL_SERVER_ERROR)
    void fail(@PathVariable String id) {}

    /** The body is read from the stream: a form's parameters would be consumed before a controller sees them. */
    @PostMapping("/echo/{id}")
    String echo(@PathVariable String id, HttpServletRequest request) throws IOException {
        byte[] buffer = new byte[65536];
        long got = 0;
        try (InputStream in = request.getInputStream()) {
            for (int n; (n = in.read(buffer)) >= 0; ) {
                got += n;
            }
        }
        return "got " + got + "\n";
    }

    public static void main(String[] args) {
        SpringApplication.run(Shop.class, args);
    }
}
