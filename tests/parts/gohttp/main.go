// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

// Command gohttp is Go's net/http as the tests meet it: `gohttp serve PORT` answers the routes that all test
// servers share, `gohttp get` makes the requests of a plan read from standard input.
package main

import (
	"fmt"
	"os"
)

func main() {
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "serve":
		err = serve("127.0.0.1:" + os.Args[2])
	case len(os.Args) == 2 && os.Args[1] == "get":
		err = runPlan(os.Stdin, os.Stdout)
	default:
		err = fmt.Errorf("usage: gohttp serve PORT | gohttp get <PLAN")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gohttp:", err)
		os.Exit(1)
	}
}
