package config

import (
	"errors"
	"strings"

	"github.com/magiconair/properties"
)

// parseProperties reads Java's properties syntax: comments with # and !, separators =, : and blank, continued lines,
// \uXXXX escapes, Latin-1 text. References like ${x} stay as they are, as in Kafka. The last of equal keys wins.
func parseProperties(data []byte) (map[string]string, error) {
	if len(data) > MaxFileSize {
		return nil, errors.New("properties file too large")
	}
	loader := properties.Loader{Encoding: properties.ISO_8859_1, DisableExpansion: true}
	p, err := loader.LoadBytes(data)
	if err != nil {
		return nil, err
	}
	return p.Map(), nil
}

// parseOverrides reads key=value entries, as `kafka-server-start --override` does. A value may hold further = signs.
func parseOverrides(list []string) (map[string]string, error) {
	out := make(map[string]string, len(list))
	for _, s := range list {
		key, value, ok := strings.Cut(s, "=")
		if !ok || trim(key) == "" {
			return nil, invalid("Override " + s + " is not of the form key=value")
		}
		out[trim(key)] = value
	}
	return out, nil
}

// notMapped are KAFKA_* variables that configure Java or the image, not the broker.
var notMapped = map[string]bool{
	"KAFKA_VERSION": true, "KAFKA_HEAP_OPTS": true, "KAFKA_LOG4J_OPTS": true, "KAFKA_OPTS": true, "KAFKA_JMX_OPTS": true,
	"KAFKA_JVM_PERFORMANCE_OPTS": true, "KAFKA_GC_LOG_OPTS": true, "KAFKA_LOG4J_ROOT_LOGLEVEL": true, "KAFKA_LOG4J_LOGGERS": true,
	"KAFKA_TOOLS_LOG4J_LOGLEVEL": true, "KAFKA_JMX_HOSTNAME": true,
}

// parseEnviron maps the KAFKA_* variables of an environment as Kafka's image does: lower case, _ to ., __ to _, ___ to -.
func parseEnviron(environ []string) map[string]string {
	out := map[string]string{}
	for _, s := range environ {
		name, value, ok := strings.Cut(s, "=")
		rest, kafka := strings.CutPrefix(name, "KAFKA_")
		if !ok || !kafka || rest == "" || notMapped[name] {
			continue
		}
		out[envKey(rest)] = value
	}
	return out
}

func envKey(name string) string {
	name = strings.ToLower(name)
	name = strings.ReplaceAll(name, "___", "-")
	name = strings.ReplaceAll(name, "__", "\x00")
	name = strings.ReplaceAll(name, "_", ".")
	return strings.ReplaceAll(name, "\x00", "_")
}
