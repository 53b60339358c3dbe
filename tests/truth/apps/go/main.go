// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

// Command app is net/http on both sides: app PORT BACKEND.
//
// Modes: one, drop; two (one after the other); fan (three calls in goroutines of their own); deep (a goroutine that starts a
// goroutine that calls); worker (a goroutine made at the start calls and tells the handler); none; after (a goroutine
// that outlives the answer); ping (the first one starts a goroutine that calls for it); chain (passes on what was asked);
// tree (the same, in three calls at once).
package main

import (
	"fmt"
	"io"
	"log"
	"math/rand"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

var (
	backend string
	host    = "127.0.0.1"
	client  = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	jobs    = make(chan job)
	pinging sync.Once
	lastMs  atomic.Int64
)

type job struct {
	mode, id string
	done     chan struct{}
}

func call(mode, id string, k int) {
	callPath(fmt.Sprintf("/b/%s/%s/%d", mode, id, k))
}

// pass makes a call for a request, which may be under /b/ itself.
func pass(path string, k int) {
	if strings.HasPrefix(path, "/b/") {
		callPath(fmt.Sprintf("%s.%d", path, k))
	} else {
		callPath(fmt.Sprintf("/b%s/%d", path, k))
	}
}

func callPath(path string) {
	answer, err := client.Get("http://" + host + ":" + backend + path)
	if err != nil {
		log.Print(err)
		return
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		log.Print(err)
	}
}

func fan(calls int, call func(k int)) {
	var wait sync.WaitGroup
	for k := range calls {
		wait.Add(1)
		go func() {
			defer wait.Done()
			call(k)
		}()
	}
	wait.Wait()
}

func worker() {
	for j := range jobs {
		call(j.mode, j.id, 0)
		close(j.done)
	}
}

func ping(id string) {
	for k := 0; time.Now().UnixMilli()-lastMs.Load() < 300; k++ {
		call("ping", id, k)
		time.Sleep(3 * time.Millisecond)
	}
}

func handle(w http.ResponseWriter, r *http.Request) {
	part := strings.Split(r.URL.Path+"//", "/")
	if part[1] == "b" && part[2] == "chain" {
		part = part[1:]
	}
	mode, id := part[1], part[2]
	lastMs.Store(time.Now().UnixMilli())
	switch mode {
	case "one", "drop":
		call(mode, id, 0)
	case "two":
		call(mode, id, 0)
		call(mode, id, 1)
	case "fan":
		fan(3, func(k int) { call(mode, id, k) })
	case "deep":
		done := make(chan struct{})
		go func() {
			fan(1, func(k int) { call(mode, id, k) })
			close(done)
		}()
		<-done
	case "worker":
		j := job{mode, id, make(chan struct{})}
		jobs <- j
		<-j.done
	case "after":
		go func() {
			time.Sleep(time.Duration(rand.Intn(10)) * time.Millisecond)
			call(mode, id, 0)
		}()
	case "ping":
		pinging.Do(func() { go ping(id) })
	case "chain":
		pass(r.URL.Path, 0)
	case "tree":
		fan(3, func(k int) { pass(r.URL.Path, k) })
	case "b":
		id = r.URL.Path
	}
	fmt.Fprint(w, id)
}

func main() {
	backend = os.Args[2]
	if on := os.Getenv("BACKEND_ON"); on != "" {
		host = on
	}
	for range 4 {
		go worker()
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], http.HandlerFunc(handle)))
}
