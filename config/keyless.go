package config

import "strings"

// keyless are sentences of Kafka's that do not name the key they are about, or not what helps, by what they begin with or
// contain, and what is added at the start of a node. Answers to clients keep Kafka's words alone.
var keyless = []struct{ part, help string }{
	{"No security protocol defined for listener", "give every listener a protocol in listener.security.protocol.map, such as CONTROLLER:PLAINTEXT"},
	{"Unable to parse a listener name", "listeners has entries of the form NAME://host:port"},
	{"to a broker endpoint", "an entry has the form NAME://host:port, with nothing for the host to listen everywhere"},
	{"/ by zero", "log.cleaner.threads must be at least 1"},
	{"Disabling the 'classic' protocol", "keep classic in group.coordinator.rebalance.protocols"},
	{"Failed to parse voter ID", "an entry of controller.quorum.voters has the form id@host:port"},
	{"is not routeable", "controller.quorum.voters needs addresses that other nodes can reach"},
	{"port out of range", "a port in controller.quorum.voters and controller.quorum.bootstrap.servers is at most 65535"},
	{"For input string", "a number is expected in controller.quorum.voters, controller.quorum.bootstrap.servers or max.connections.per.ip.overrides"},
	{"Missing required configuration", "set it in the properties file, or by --override or a KAFKA_* variable"},
}

// withHelp adds what helps to a sentence of Kafka's.
func withHelp(err error) error {
	for _, k := range keyless {
		if text := err.Error(); strings.Contains(text, k.part) {
			return invalid(strings.TrimSuffix(text, ".") + ": " + k.help)
		}
	}
	return err
}
