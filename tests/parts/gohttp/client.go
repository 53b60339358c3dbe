// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

type request struct {
	Path    string
	Method  string
	Headers map[string]string
	BodySz  int `json:"body_sz"`
	Close   bool
}

type result struct {
	Path    string  `json:"path"`
	Status  int     `json:"status"`
	BodySz  int64   `json:"body_sz"`
	Sha256  string  `json:"sha256"`
	Seconds float64 `json:"seconds"`
	Error   string  `json:"error,omitempty"`
}

// runPlan makes the plan's requests one after the other and prints one result a line. It reads its input to
// the end first, so whoever started it decides when the first request leaves.
func runPlan(in io.Reader, out io.Writer) error {
	var plan struct {
		Base     string
		Requests []request
	}
	if err := json.NewDecoder(in).Decode(&plan); err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	client := &http.Client{Timeout: 20 * time.Second}
	encoder := json.NewEncoder(out)
	for _, r := range plan.Requests {
		started := time.Now()
		res := do(client, plan.Base, r)
		res.Seconds = time.Since(started).Seconds()
		if err := encoder.Encode(res); err != nil {
			return err
		}
	}
	return nil
}

func do(client *http.Client, base string, r request) result {
	res := result{Path: r.Path}
	var body io.Reader
	if r.Method == http.MethodPost {
		body = bytes.NewReader(bytes.Repeat([]byte("b"), r.BodySz))
	}
	req, err := http.NewRequest(r.Method, base+r.Path, body)
	if err != nil {
		res.Error = err.Error()
		return res
	}
	req.Close = r.Close
	for name, value := range r.Headers {
		req.Header.Set(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		res.Error = err.Error()
		return res
	}
	defer resp.Body.Close()
	hash := sha256.New()
	res.Status = resp.StatusCode
	res.BodySz, err = io.Copy(hash, resp.Body)
	res.Sha256 = fmt.Sprintf("%x", hash.Sum(nil))
	if err != nil {
		res.Error = err.Error()
	}
	return res
}
