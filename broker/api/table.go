package api

import (
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
)

// Table is the table of contents of the broker, sorted by key: what is not here is not served. A test
// checks the order, that every file NN_name.go has its row, and that maxima are Kafka's newest.
var Table = []API{
	produce, // 0
	fetch.onControllerListener(quorumRequest), // 1
	listOffsets,                // 2
	metadataRow,                // 3
	offsetCommit,               // 8
	offsetFetch,                // 9
	findCoordinator,            // 10
	joinGroup,                  // 11
	heartbeat,                  // 12
	leaveGroup,                 // 13
	syncGroup,                  // 14
	describeGroups,             // 15
	listGroups,                 // 16
	apiVersions,                // 18
	createTopics,               // 19
	deleteTopics,               // 20
	deleteRecords,              // 21
	initProducerID,             // 22
	offsetForLeaderEpoch,       // 23
	describeConfigs,            // 32
	alterConfigs,               // 33
	describeLogDirs,            // 35
	createPartitions,           // 37
	deleteGroups,               // 42
	electLeaders,               // 43
	incrementalAlterConfigs,    // 44
	listPartitionReassignments, // 46
	offsetDelete,               // 47
	vote,                       // 52
	beginQuorumEpoch,           // 53
	endQuorumEpoch,             // 54
	describeQuorum,             // 55
	alterPartition,             // 56
	updateFeatures,             // 57
	envelope,                   // 58
	fetchSnapshot,              // 59
	describeCluster,            // 60
	describeProducers,          // 61
	brokerRegistration,         // 62
	brokerHeartbeat,            // 63
	unregisterBroker,           // 64
	allocateProducerIDs,        // 67
	consumerGroupHeartbeat,     // 68
	consumerGroupDescribe,      // 69
	controllerRegistration,     // 70
	getTelemetrySubscriptions,  // 71
	assignReplicasToDirs,       // 73
	listConfigResources,        // 74
	describeTopicPartitions,    // 75
}

// Listeners says where a row is served.
type Listeners uint8

const (
	OnBroker     Listeners = 1 << iota // listeners= of a broker
	OnController                       // controller listeners
	Everywhere   = OnBroker | OnController
)

// API is one row: one key with the versions served and a handler per kind of listener.
type API struct {
	Key      int16
	Name     string // Kafka's name of the request: "DescribeCluster"
	Min, Max int16  // versions served

	onBroker     handler // nil = not served there
	onController handler

	advertisedMin   int16 // Min, but for Produce (Q1)
	hidden          bool  // answered, not advertised (Q10)
	pipelinedRow    bool
	forwardedRow    bool // the broker's handler passes it to the controller
	unsupportedFunc func(c *server.Ctx) server.Answer
}

// handler is a row's function with the types taken off. The Dispatcher is there for the few handlers that are
// about the table itself; all others use its Handlers alone.
type handler func(d *Dispatcher, c *server.Ctx, req kmsg.Request) server.Answer

// request ties a kmsg struct to its pointer, so that a handler is typed and the key comes from the type.
type request[R any] interface {
	*R
	kmsg.Request
}

// define declares a row whose handler returns the response. A mismatch of request type and key cannot be
// written; the response type is the handler's own business and checked by the round-trip test.
func define[R any, Q request[R], P kmsg.Response](minVersion, maxVersion int16, on Listeners, handle func(*Handlers, *server.Ctx, Q) P) API {
	return defineAnswer(minVersion, maxVersion, on, func(h *Handlers, c *server.Ctx, req Q) server.Answer {
		return server.Reply(handle(h, c, req))
	})
}

// defineAnswer declares a row whose handler chooses the kind of answer: spliced, late, none.
func defineAnswer[R any, Q request[R]](minVersion, maxVersion int16, on Listeners, handle func(*Handlers, *server.Ctx, Q) server.Answer) API {
	return declare[R, Q](minVersion, maxVersion, on, func(d *Dispatcher, c *server.Ctx, req kmsg.Request) server.Answer {
		return handle(d.h, c, req.(Q))
	})
}

// defineTable declares a row whose handler needs the table or what hangs on it; defineTableAnswer also
// chooses the kind of answer.
func defineTable[R any, Q request[R], P kmsg.Response](minVersion, maxVersion int16, on Listeners, handle func(*Dispatcher, *server.Ctx, Q) P) API {
	return declare[R, Q](minVersion, maxVersion, on, func(d *Dispatcher, c *server.Ctx, req kmsg.Request) server.Answer {
		return server.Reply(handle(d, c, req.(Q)))
	})
}

func defineTableAnswer[R any, Q request[R]](minVersion, maxVersion int16, on Listeners, handle func(*Dispatcher, *server.Ctx, Q) server.Answer) API {
	return declare[R, Q](minVersion, maxVersion, on, func(d *Dispatcher, c *server.Ctx, req kmsg.Request) server.Answer {
		return handle(d, c, req.(Q))
	})
}

func declare[R any, Q request[R]](minVersion, maxVersion int16, on Listeners, run handler) API {
	key := Q(new(R)).Key()
	a := API{Key: key, Name: kafkaName(key), Min: minVersion, Max: maxVersion, advertisedMin: minVersion}
	if on&OnBroker != 0 {
		a.onBroker = run
	}
	if on&OnController != 0 {
		a.onController = run
	}
	return a
}

// kafkaName is Kafka's name of a request; kmsg writes initialisms its own way.
func kafkaName(key int16) string {
	name := kmsg.NameForKey(key)
	if key == 45 {
		return "AlterPartitionReassignments"
	}
	return strings.NewReplacer("ID", "Id", "ACL", "Acl", "SASL", "Sasl", "SCRAM", "Scram").Replace(name)
}

// pipelined lets the row answer Later (Produce).
func (a API) pipelined() API { a.pipelinedRow = true; return a }

// advertisedFrom shows a lower minimum in ApiVersions than is served (Q1).
func (a API) advertisedFrom(v int16) API { a.advertisedMin = v; return a }

// unsupported answers versions outside the range instead of closing (ApiVersions).
func (a API) unsupported(run func(*server.Ctx) server.Answer) API {
	a.unsupportedFunc = run
	return a
}

// onControllerListener adds a handler for controller listeners to a row whose handler is the broker's.
func (a API) onControllerListener(run handler) API { a.onController = run; return a }

// forwardable marks the row as one that an Envelope may carry and that brokers pass on.
func (a API) forwardable() API { a.forwardedRow = true; return a }

// unadvertised keeps a served row out of ApiVersions (Q10).
func (a API) unadvertised() API { a.hidden = true; return a }

// On returns where the row is served.
func (a API) On() Listeners {
	var on Listeners
	if a.onBroker != nil {
		on |= OnBroker
	}
	if a.onController != nil {
		on |= OnController
	}
	return on
}

// Dispatcher is the table bound to the rooms of one broker; package server looks rows up in it.
type Dispatcher struct {
	h                  *Handlers
	broker, controller []*server.Row // by key

	advertised map[Listeners][]kmsg.ApiVersionsResponseApiKey // by kind of listener
	forwarded  map[int16]bool                                 // keys that an Envelope may carry
	creations  autoCreate
	metadatas  metadataCache
	nodes      nodeCache
}

// NewDispatcher binds rows to h, whose rooms may be filled in afterwards.
func NewDispatcher(rows []API, h *Handlers) *Dispatcher {
	size := 0
	for _, a := range rows {
		size = max(size, int(a.Key)+1)
	}
	d := &Dispatcher{h: h, broker: make([]*server.Row, size), controller: make([]*server.Row, size), forwarded: map[int16]bool{}, creations: newAutoCreate()}
	d.advertised = map[Listeners][]kmsg.ApiVersionsResponseApiKey{
		OnBroker: advertise(rows, OnBroker), OnController: advertise(rows, OnController),
	}
	for _, a := range rows {
		d.forwarded[a.Key] = a.forwardedRow
		if a.onBroker != nil {
			d.broker[a.Key] = a.bind(d, a.onBroker)
		}
		if a.onController != nil {
			d.controller[a.Key] = a.bind(d, a.onController)
		}
	}
	return d
}

func (a API) bind(d *Dispatcher, run handler) *server.Row {
	row := &server.Row{Key: a.Key, Name: a.Name, Min: a.Min, Max: a.Max, Pipelined: a.pipelinedRow,
		Handle: func(c *server.Ctx, req kmsg.Request) server.Answer { return run(d, c, req) }, Unsupported: a.unsupportedFunc}
	plant(row)
	return row
}

// Lookup implements server.Dispatcher.
func (d *Dispatcher) Lookup(key int16, controller bool) (*server.Row, bool) {
	rows := d.broker
	if controller {
		rows = d.controller
	}
	if key < 0 || int(key) >= len(rows) || rows[key] == nil {
		return nil, false
	}
	return rows[key], true
}

// check reports the first fault of a table: order, doubles, empty ranges.
func check(rows []API) error {
	if !slices.IsSortedFunc(rows, func(a, b API) int { return int(a.Key) - int(b.Key) }) {
		return fmt.Errorf("api: the table is not sorted by key")
	}
	for i, a := range rows {
		switch {
		case i > 0 && rows[i-1].Key == a.Key:
			return fmt.Errorf("api: key %d stands twice", a.Key)
		case a.Min > a.Max, a.Min < 0:
			return fmt.Errorf("api: %s has the range %d-%d", a.Name, a.Min, a.Max)
		case a.On() == 0:
			return fmt.Errorf("api: %s is served nowhere", a.Name)
		}
	}
	return nil
}
