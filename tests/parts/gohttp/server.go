// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"time"
)

const bigSize = 2 << 20

func serve(address string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /items/{id}", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "item "+r.PathValue("id")+"\n")
	})
	mux.HandleFunc("GET /big/{id}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(bigSize))
		w.Write(bytes.Repeat([]byte("0123456789abcdef"), bigSize/16))
	})
	mux.HandleFunc("GET /chunked/{id}", chunked)
	mux.HandleFunc("GET /slow/{id}", slow)
	mux.HandleFunc("GET /empty/{id}", status(http.StatusNoContent))
	mux.HandleFunc("GET /same/{id}", status(http.StatusNotModified))
	mux.HandleFunc("GET /fail/{id}", status(http.StatusInternalServerError))
	mux.HandleFunc("POST /echo/{id}", func(w http.ResponseWriter, r *http.Request) {
		got, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "got %d\n", got)
	})
	return http.ListenAndServe(address, mux)
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// Each flush ends one chunk on the wire.
func chunked(w http.ResponseWriter, _ *http.Request) {
	for i := range 3 {
		fmt.Fprintf(w, "piece %d\n", i)
		w.(http.Flusher).Flush()
	}
}

// Announces more than it sends and then waits, so that a client can leave in the middle.
func slow(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "1000")
	io.WriteString(w, "beginning")
	w.(http.Flusher).Flush()
	select {
	case <-r.Context().Done():
	case <-time.After(30 * time.Second):
	}
}
