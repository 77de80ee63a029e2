package config

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// matchParams are what a client-metrics subscription can match clients by (KIP-714).
var matchParams = []string{"client_instance_id", "client_id", "client_software_name", "client_software_version", "client_source_address", "client_source_port"}

// ValidateClientMetrics checks a client-metrics subscription. Unknown keys and a bad interval are INVALID_REQUEST, the rest INVALID_CONFIG.
func ValidateClientMetrics(subscription string, configs map[string]string) error {
	if subscription == "" {
		return &Error{"Subscription name can't be empty", kerr.InvalidRequest}
	}
	keys := slices.Sorted(maps.Keys(configs))
	for _, name := range keys {
		if ClientMetricsRow(name) == nil {
			return &Error{"Unknown client metrics configuration: " + name, kerr.InvalidRequest}
		}
	}
	for _, name := range keys {
		if err := checkValue(ClientMetricsRow(name), configs[name]); err != nil {
			return err
		}
	}
	if s, ok := configs["interval.ms"]; ok {
		if n := parseInt(s); n < 100 || n > 3600000 {
			return &Error{fmt.Sprintf("Invalid value %d for interval.ms, interval must be between 100 and 3600000 (1 hour)", n), kerr.InvalidRequest}
		}
	}
	for _, pattern := range splitList(configs["match"]) {
		parts := strings.Split(strings.TrimRight(pattern, "="), "=")
		if len(parts) != 2 || !slices.Contains(matchParams, trim(parts[0])) {
			return invalid("Illegal client matching pattern: " + pattern)
		}
		if _, err := regexp.Compile(trim(parts[1])); err != nil {
			return invalid("Illegal client matching pattern: " + pattern)
		}
	}
	return nil
}

// asRequest turns a refused value into INVALID_REQUEST, which is what Kafka answers about broker keys (KAFKA-13609).
func asRequest(err error) error {
	var e *Error
	if errors.As(err, &e) {
		return &Error{e.Message, kerr.InvalidRequest}
	}
	return err
}
