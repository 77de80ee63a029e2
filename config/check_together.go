package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// mustHold words a rule as Kafka's broker does.
func mustHold(ok bool, message string) error {
	if ok {
		return nil
	}
	return invalid("requirement failed: " + message)
}

// firstError stops at the first rule that is broken.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// checkTogether applies the rules between keys. Single values have passed already.
func (f *File) checkTogether() ([]Warning, error) {
	if err := firstError(checkAssignors(f), checkGroupBounds(f), checkShareBounds(f)); err != nil {
		return nil, err
	}
	listeners, err := f.Listeners()
	if err != nil {
		return nil, err
	}
	if err := firstError(f.checkEarlyStart(listeners), f.checkRebalanceProtocols(), f.checkLimits()); err != nil {
		return nil, err
	}
	warnings, err := f.checkCluster(listeners)
	if err != nil {
		return nil, err
	}
	if heartbeat, session := BrokerHeartbeatIntervalMs.Get(f), BrokerSessionTimeoutMs.Get(f); heartbeat*2 > session {
		warnings = append(warnings, Warning{"broker.heartbeat.interval.ms", fmt.Sprintf("broker.heartbeat.interval.ms (%d ms) should be at most half of "+
			"broker.session.timeout.ms (%d ms): one late heartbeat fences the broker.", heartbeat.Milliseconds(), session.Milliseconds())})
	}
	return warnings, f.checkConnections()
}

func (f *File) checkEarlyStart(listeners []Listener) error {
	list, ok := EarlyStartListeners.Find(f)
	if !ok {
		return nil
	}
	for _, name := range list {
		if name != "" && !slices.ContainsFunc(listeners, func(l Listener) bool { return l.Name == name }) {
			return invalid("early.start.listeners contains listener " + name + ", but this is not contained in listeners or controller.listener.names")
		}
	}
	return nil
}

func (f *File) checkRebalanceProtocols() error {
	for _, p := range GroupCoordinatorRebalanceProtocols.Get(f) {
		if strings.EqualFold(p, "classic") {
			return nil
		}
	}
	return invalid("Disabling the 'classic' protocol is not supported.")
}

// checkLimits are the rules about logs and replication.
func (f *File) checkLimits() error {
	if f.NodeID() != BrokerID.Get(f) {
		return invalid("`node.id` and `broker.id` must be set to the same value. `broker.id` is deprecated, please use `node.id` instead.")
	}
	topics := TopicView(f, nil)
	if LogCleanerThreads.Get(f) == 0 {
		return invalid("/ by zero") // Kafka's own words: it divides the buffer by the threads
	}
	roll, jitter, retention := SegmentMs.Get(topics), SegmentJitterMs.Get(topics), RetentionMs.Get(topics)
	wait := ReplicaFetchWaitMaxMs.Get(f)
	return firstError(
		mustHold(roll >= time.Millisecond, "log.roll.ms must be greater than or equal to 1"),
		mustHold(jitter >= 0, "log.roll.jitter.ms must be greater than or equal to 0"),
		mustHold(retention != 0, "log.retention.ms must be unlimited (-1) or, greater than or equal to 1"),
		mustHold(LogCleanerDedupeBufferSize.Get(f)/int64(LogCleanerThreads.Get(f)) > 1<<20,
			"log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread."),
		mustHold(wait <= ReplicaSocketTimeoutMs.Get(f), "replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to prevent unnecessary socket timeouts"),
		mustHold(wait <= ReplicaLagTimeMaxMs.Get(f), "replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms to prevent frequent changes in ISR"),
	)
}

// checkCluster are the rules about roles, the quorum and the listeners, by role.
func (f *File) checkCluster(listeners []Listener) ([]Warning, error) {
	roles := f.Roles()
	voters, err := parseVoters(ControllerQuorumVoters.Get(f), true)
	if err != nil {
		return nil, err
	}
	isVoter := slices.ContainsFunc(voters, func(v Voter) bool { return v.ID == f.NodeID() })
	advertised, err := f.AdvertisedListeners()
	if err != nil {
		return nil, err
	}
	if len(voters) == 0 && len(f.BootstrapServers()) == 0 {
		return nil, invalid("If using process.roles, either controller.quorum.bootstrap.servers must contain the set of bootstrap controllers " +
			"or controller.quorum.voters must contain a parseable set of controllers.")
	}
	var warnings []Warning
	if roles.Controller {
		err = f.checkController(roles, listeners, voters, isVoter)
	} else {
		warnings, err = f.checkBrokerOnly(listeners, voters, isVoter)
	}
	if err == nil && roles.Broker {
		err = f.checkBroker(listeners, advertised)
	}
	if err != nil {
		return nil, err
	}
	controllers, err := f.AdvertisedControllerListeners()
	if err != nil {
		return nil, err
	}
	for _, l := range append(advertised, controllers...) {
		if l.Host == "0.0.0.0" {
			return nil, mustHold(false, "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address.")
		}
	}
	return warnings, nil
}

// showVoters prints the ids as a Scala set.
func showVoters(voters []Voter) string {
	var ids []int
	for _, v := range voters {
		if !slices.Contains(ids, int(v.ID)) {
			ids = append(ids, int(v.ID))
		}
	}
	slices.Sort(ids)
	var b []string
	for _, id := range ids {
		b = append(b, strconv.Itoa(id))
	}
	return "Set(" + strings.Join(b, ", ") + ")"
}

func (f *File) checkBrokerOnly(listeners []Listener, voters []Voter, isVoter bool) ([]Warning, error) {
	names := ControllerListenerNames.Get(f)
	bound, err := f.ControllerListeners()
	if err != nil {
		return nil, err
	}
	err = firstError(
		mustHold(!isVoter, fmt.Sprintf("If process.roles contains just the 'broker' role, the node id %d must not be included in the set of voters controller.quorum.voters=%s",
			f.NodeID(), showVoters(voters))),
		mustHold(len(names) > 0, "controller.listener.names must contain at least one value when running KRaft with just the broker role"),
		mustHold(len(bound) == 0, "controller.listener.names must not contain a value appearing in the 'listeners' configuration when running KRaft with just the broker role"),
	)
	if err != nil {
		return nil, err
	}
	protocols, err := f.protocolMap()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if name = strings.ToUpper(name); protocols[name] == "" {
			return nil, invalid("Controller listener with name " + name + " defined in controller.listener.names not found in listener.security.protocol.map  " +
				"(an explicit security mapping for each controller listener is required if listener.security.protocol.map is non-empty, " +
				"or if there are security protocols other than PLAINTEXT in use)")
		}
	}
	if err := mustHold(!ControllerQuorumAutoJoinEnable.Get(f),
		"controller.quorum.auto.join.enable is only supported when process.roles contains the 'controller' role."); err != nil {
		return nil, err
	}
	var warnings []Warning
	if len(names) > 1 {
		warnings = append(warnings, Warning{"controller.listener.names", "controller.listener.names has several entries; a broker uses the first one only."})
	}
	for _, key := range []string{"create.topic.policy.class.name", "alter.config.policy.class.name"} {
		if _, ok := f.values[key]; ok {
			warnings = append(warnings, Warning{key, key + " is set on a broker, but only controllers read it."})
		}
	}
	return warnings, nil
}

func (f *File) checkController(roles Roles, listeners []Listener, voters []Voter, isVoter bool) error {
	names := ControllerListenerNames.Get(f)
	advertised, err := f.AdvertisedControllerListeners()
	if err != nil {
		return err
	}
	if !roles.Broker {
		if err := mustHold(len(advertised) == len(listeners),
			"The listeners config must only contain KRaft controller listeners from controller.listener.names when process.roles=controller"); err != nil {
			return err
		}
		if _, ok := InterBrokerListenerName.Find(f); ok {
			name, err := f.InterBrokerListener()
			if err != nil {
				return err
			}
			if err := mustHold(!slices.Contains(names, name),
				"controller.listener.names must not contain an explicitly set inter.broker.listener.name configuration value when process.roles=controller'"); err != nil {
				return err
			}
		}
	}
	all := true
	for _, name := range names {
		all = all && slices.ContainsFunc(listeners, func(l Listener) bool { return l.Name == name })
	}
	return firstError(
		mustHold(len(voters) == 0 || isVoter, fmt.Sprintf("If process.roles contains the 'controller' role, the node id %d must be included in the set of voters controller.quorum.voters=%s",
			f.NodeID(), showVoters(voters))),
		mustHold(len(advertised) > 0, "controller.listener.names must contain at least one value appearing in the 'listeners' configuration when running the KRaft controller role"),
		mustHold(all, "controller.listener.names must only contain values appearing in the 'listeners' configuration when running the KRaft controller role"),
	)
}

func (f *File) checkBroker(listeners, advertised []Listener) error {
	bound, told := names(listeners), names(advertised)
	if err := mustHold(len(told) > 0, "There must be at least one broker advertised listener. Perhaps all listeners appear in controller.listener.names?"); err != nil {
		return err
	}
	inter, err := f.InterBrokerListener()
	if err != nil {
		return err
	}
	subset := !slices.ContainsFunc(told, func(n string) bool { return !slices.Contains(bound, n) })
	if err := firstError(
		mustHold(slices.Contains(told, inter), "inter.broker.listener.name must be a listener name defined in advertised.listeners. "+
			"The valid options based on currently configured listeners are "+strings.Join(told, ",")),
		mustHold(subset, "advertised.listeners listener names must be equal to or a subset of the ones defined in listeners. Found "+strings.Join(told, ",")+
			". The valid options based on the current configuration are "+strings.Join(bound, ",")),
	); err != nil {
		return err
	}
	return f.checkCordoned()
}

func (f *File) checkCordoned() error {
	cordoned := CordonedLogDirs.Get(f)
	if slices.Contains(cordoned, "*") {
		return mustHold(len(cordoned) == 1, "When cordoned.log.dirs is set to *, it must not contain other values")
	}
	dirs := f.LogDirs()
	missing := slices.DeleteFunc(slices.Clone(cordoned), func(d string) bool { return slices.Contains(dirs, d) })
	return mustHold(len(missing) == 0, "All entries in cordoned.log.dirs must be present in log.dirs or log.dir. Missing entries : "+strings.Join(missing, ", "))
}

func names(listeners []Listener) []string {
	var out []string
	for _, l := range listeners {
		out = append(out, l.Name)
	}
	return out
}

var hostText = regexp.MustCompile(`^[0-9a-zA-Z\-%._:]*$`)

// checkConnections are the rules about limits per connection and address.
func (f *File) checkConnections() error {
	queued, largest := QueuedMaxRequestBytes.Get(f), SocketRequestMaxBytes.Get(f)
	if err := mustHold(queued <= 0 || queued >= largest, "queued.max.request.bytes must be larger or equal to socket.request.max.bytes"); err != nil {
		return err
	}
	overrides, err := csvMap("max.connections.per.ip.overrides", MaxConnectionsPerIPOverrides.Get(f))
	if err != nil {
		return err
	}
	for _, p := range overrides {
		if _, err := strconv.ParseInt(p[1], 10, 32); err != nil {
			return invalid("For input string: \"" + p[1] + "\"")
		}
	}
	if MaxConnectionsPerIP.Get(f) == 0 {
		if err := mustHold(len(overrides) > 0, "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set."); err != nil {
			return err
		}
	}
	var bad []string
	for _, p := range overrides {
		if !hostText.MatchString(p[0]) {
			bad = append(bad, p[0])
		}
	}
	if len(bad) > 0 {
		return invalid("max.connections.per.ip.overrides contains invalid addresses : " + strings.Join(bad, ","))
	}
	idle, delay := ConnectionsMaxIdleMs.Get(f), ConnectionFailedAuthenticationDelayMs.Get(f)
	if idle >= 0 {
		return mustHold(delay < idle, fmt.Sprintf("connection.failed.authentication.delay.ms=%d should always be less than connections.max.idle.ms=%d "+
			"to prevent failed authentication responses from timing out", delay.Milliseconds(), idle.Milliseconds()))
	}
	return nil
}
