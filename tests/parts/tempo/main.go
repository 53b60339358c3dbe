// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause

// Command tempo is Grafana Tempo from a configuration file: `tempo FILE`.
//
// Tempo registers a gRPC codec for its generated messages in an init function, and relies on gRPC's own being
// registered before it. Since Go 1.21 packages are initialised in the order of their paths, which puts
// gRPC's last; registering from main settles it.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"

	"github.com/grafana/tempo/cmd/tempo/app"
	tempolog "github.com/grafana/tempo/pkg/util/log"
	"google.golang.org/grpc/encoding"
	"google.golang.org/protobuf/proto"
	"gopkg.in/yaml.v2"
)

type codec struct{}

func (codec) Name() string { return "proto" }

// Messages that bring their own encoding use it; their reflection is what fails.
func (codec) Marshal(v interface{}) ([]byte, error) {
	switch m := v.(type) {
	case interface{ Marshal() ([]byte, error) }:
		return m.Marshal()
	case proto.Message:
		return proto.Marshal(m)
	}
	return nil, fmt.Errorf("%T: not a message", v)
}

func (codec) Unmarshal(data []byte, v interface{}) error {
	switch m := v.(type) {
	case interface{ Unmarshal([]byte) error }:
		return m.Unmarshal(data)
	case proto.Message:
		return proto.Unmarshal(data, m)
	}
	return fmt.Errorf("%T: not a message", v)
}

func run(path string) error {
	config := &app.Config{}
	config.RegisterFlagsAndApplyDefaults("", flag.NewFlagSet("", flag.ContinueOnError))
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := yaml.UnmarshalStrict(text, config); err != nil {
		return err
	}
	tempolog.InitLogger(&config.Server)
	t, err := app.New(*config)
	if err != nil {
		return err
	}
	return t.Run()
}

func main() {
	encoding.RegisterCodec(codec{})
	if len(os.Args) != 2 {
		log.Fatal("usage: tempo FILE")
	}
	if err := run(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}
