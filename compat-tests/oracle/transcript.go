package oracle

import "github.com/dohle-io/dohle/compat-tests/scenario"

// Transcript is one scenario as one broker saw it.
type Transcript struct {
	Name  string   `json:"name"`
	Steps []*Reply `json:"steps"`
	// Fault is why the scenario could not go on: the broker refused to create a topic, a value was missing.
	Fault string `json:"fault,omitempty"`
}

// Reply is what one step came to. Only requests, frames and awaited answers have one.
type Reply struct {
	Step    *scenario.Step `json:"-"`
	API     string         `json:"api,omitempty"`
	Version int16          `json:"version"`
	Effect  string         `json:"effect"`
	Answer  any            `json:"answer,omitempty"`
	Request string         `json:"-"` // as it was asked, for the report
}
