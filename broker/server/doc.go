// Package server owns the sockets that others dial: listeners, one connection's life, and the memory
// that requests and answers take on their way.
//
// Who calls it: package broker builds a Server with the table of package api as its Dispatcher, calls
// Listen to bind, and Run to serve. Handlers meet it as Ctx (what came in) and Answer (what goes out).
//
// Invariants. Requests of one connection are handled one at a time and answered in the order they came
// (KAFKA-7639). Nothing reaches a decoder before the bounded walk of package protocol priced it and the
// budget paid for it. A buffer grows with the bytes that arrived, never from a length prefix. Bytes of a
// frame and their share of the budget go back when the handler says so or returns, whichever is first;
// nothing keeps budget while it waits. A Body is released exactly once, written or not.
//
// Goroutines and locks. One goroutine per listener accepts; one per connection reads, handles and writes.
// While a connection has answers of the kind Later, one more goroutine owns its write side; the reader
// goes on with pipelined requests (Produce) only and holds any other request until that queue is empty.
// All of them start in run.go. Locks: Server.mu (the set of connections), Budget.mu, conn.mu (the queue of
// late answers). They are leaves; none is held across I/O or a handler.
//
// What it does not do: it knows no key but ApiVersions' shape through Row.Unsupported, keeps no metrics of
// its own besides a few counters, authorizes nothing, and never looks into records. It does not watch the
// socket while a request waits, as Kafka does not: a wait ends with its own time, or with IdleTimeout.
//
// KIPs: 219 (throttled answers go out first), 402 and 612 (connection caps), 511 (ApiVersions fallback).
package server
