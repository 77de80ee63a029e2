package config

import (
	"errors"
	"iter"
	"slices"
	"strings"

	"github.com/magiconair/properties"
)

// parseProperties reads Java's properties syntax: comments with # and !, separators =, : and blank, continued lines,
// \uXXXX escapes, Latin-1 text. References like ${x} stay as they are, as in Kafka. The last of equal keys wins; repeated
// are the keys that stand there more than once, sorted.
func parseProperties(data []byte) (values map[string]string, repeated []string, err error) {
	if len(data) > MaxFileSize {
		return nil, nil, errors.New("properties file too large")
	}
	loader := properties.Loader{Encoding: properties.ISO_8859_1, DisableExpansion: true}
	p, err := loader.LoadBytes(data)
	if err != nil {
		return nil, nil, err
	}
	values = p.Map()
	seen := make(map[string]int, len(values))
	for key := range writtenKeys(string(data)) {
		if _, ok := values[key]; !ok {
			continue
		}
		if seen[key]++; seen[key] == 2 {
			repeated = append(repeated, key)
		}
	}
	slices.Sort(repeated)
	return values, repeated, nil
}

// writtenKeys are the keys of a properties file in the order of its lines, repetitions included; those in ASCII, as all of Kafka's.
func writtenKeys(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		continued := false // the line before ends in a backslash: this one is still its value
		for line := range strings.Lines(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)) {
			line = strings.TrimRight(strings.TrimLeft(line, " \t\f"), "\n")
			starts := !continued && line != "" && line[0] != '#' && line[0] != '!'
			if !continued && !starts {
				continue
			}
			continued = (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
			if starts && !yield(firstKey(line)) {
				return
			}
		}
	}
}

// firstKey is the text before the first separator, without backslashes.
func firstKey(line string) string {
	var key []byte
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case '=', ':', ' ', '\t', '\f':
			return string(key)
		case '\\':
			if i++; i == len(line) {
				return string(key)
			}
		}
		key = append(key, line[i])
	}
	return string(key)
}

// parseOverrides reads key=value entries, as `kafka-server-start --override` does. A value may hold further = signs.
func parseOverrides(list []string) (map[string]string, error) {
	out := make(map[string]string, len(list))
	for _, s := range list {
		key, value, ok := strings.Cut(s, "=")
		if !ok || trim(key) == "" {
			return nil, invalid("--override " + s + " is not of the form key=value")
		}
		out[trim(key)] = value
	}
	return out, nil
}

// notMapped are KAFKA_* variables that configure Java, the image or Kafka's scripts, not the broker.
var notMapped = map[string]bool{
	"KAFKA_VERSION": true, "KAFKA_HEAP_OPTS": true, "KAFKA_LOG4J_OPTS": true, "KAFKA_OPTS": true, "KAFKA_JMX_OPTS": true,
	"KAFKA_JVM_PERFORMANCE_OPTS": true, "KAFKA_GC_LOG_OPTS": true, "KAFKA_LOG4J_ROOT_LOGLEVEL": true, "KAFKA_LOG4J_LOGGERS": true,
	"KAFKA_TOOLS_LOG4J_LOGLEVEL": true, "KAFKA_JMX_HOSTNAME": true, "KAFKA_JMX_PORT": true, "KAFKA_HOME": true, "KAFKA_DEBUG": true,
}

// byKubernetes are the beginnings of what it sets in every pod beside a service called kafka: an address, not a key.
var byKubernetes = []string{"KAFKA_SERVICE_", "KAFKA_PORT"}

// parseEnviron maps the KAFKA_* variables of an environment as Kafka's image does: lower case, _ to ., __ to _, ___ to -.
// variables are their names, by key.
func parseEnviron(environ []string) (values, variables map[string]string) {
	values, variables = map[string]string{}, map[string]string{}
	for _, s := range environ {
		name, value, ok := strings.Cut(s, "=")
		rest, kafka := strings.CutPrefix(name, "KAFKA_")
		if !ok || !kafka || rest == "" || notMapped[name] ||
			slices.ContainsFunc(byKubernetes, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			continue
		}
		values[envKey(rest)], variables[envKey(rest)] = value, name
	}
	return values, variables
}

func envKey(name string) string {
	name = strings.ToLower(name)
	name = strings.ReplaceAll(name, "___", "-")
	name = strings.ReplaceAll(name, "__", "\x00")
	name = strings.ReplaceAll(name, "_", ".")
	return strings.ReplaceAll(name, "\x00", "_")
}

// variableName is the variable that parseEnviron maps to a key.
func variableName(key string) string {
	return "KAFKA_" + strings.ToUpper(strings.NewReplacer("_", "__", "-", "___", ".", "_").Replace(key))
}
