package group

import (
	"testing"
	"time"
)

func TestRigMovesTopicsAndTime(t *testing.T) {
	r := newRig(t, nil)
	r.topics(map[string]int32{"a": 2})
	r.topics(map[string]int32{"a": 3, "b": 1})
	r.deleteTopic("b")
	r.groupConfig("g", "consumer.session.timeout.ms", "50000")
	r.advance(time.Hour)
	r.restart()
}
