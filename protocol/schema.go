package protocol

import "math"

// KAFKA_CLASSPATH names a file with a class path that holds Kafka's jars.
//go:generate go run ../internal/gen/messages -root .. -classpath $KAFKA_CLASSPATH

// The shapes of all messages are data: a program per struct and version, generated from Kafka's
// schemas into schema_gen.go and run by the walk.

// none is the first flexible version of an API that has none.
const none = math.MaxInt16

// An opcode says what stands at one place of a message. Two bits refine it.
type opcode uint8

const (
	opFixed   opcode = iota // arg bytes: one or several fields of fixed width
	opText                  // a string
	opBytes                 // bytes or records; kmsg aliases them
	opNumbers               // an array of fixed-width elements of arg bytes
	opTexts                 // an array of strings
	opStructs               // an array of structs: program arg
	opStruct                // a struct: program arg
	opMaybe                 // a struct behind a byte that is -1 for null: program arg
	opTags                  // a tag section whose known tags are list arg

	flexible opcode = 1 << 6 // compact lengths: a varint of length+1
	nullable opcode = 1 << 7 // length -1 is allowed
)

// An op is one step of a program.
type op struct {
	code opcode
	arg  uint16
}

// A program is the walk of one struct in one version.
type program struct {
	first uint16 // of its ops
	count uint16
	min   uint16 // bytes of the smallest encoding
	size  uint16 // bytes of kmsg's Go struct
}

// tagged is a known tagged field.
type tagged struct {
	tag uint16
	op  op
}

// An api is one live key of Kafka 4.4.
type api struct {
	APIVersions
	walks []uint16 // indexes of programs: the requests of each version from Min on, then the responses
}
