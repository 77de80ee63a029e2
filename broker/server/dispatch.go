package server

import "github.com/twmb/franz-go/pkg/kmsg"

// Row is what the server must know of one API on one kind of listener.
type Row struct {
	Key      int16
	Name     string
	Min, Max int16 // versions that are decoded and handled; others close the connection (protocol Q11)

	// Pipelined rows may answer Later; requests of other rows wait until late answers are out.
	Pipelined bool

	// Handle runs on the connection's goroutine. A panic in it stops the process.
	Handle func(c *Ctx, req kmsg.Request) Answer

	// Unsupported, when set, answers a version outside Min..Max without looking at the body: ApiVersions.
	Unsupported func(c *Ctx) Answer
}

// Dispatcher finds the row of a key on a listener; package api's table implements it. The returned row is
// shared and must not be changed.
type Dispatcher interface {
	Lookup(key int16, controller bool) (*Row, bool)
}
