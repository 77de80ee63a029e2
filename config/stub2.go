package config
import "time"
func ValidateTopic(name, value string) error { return nil }
func ValidateTopicConfigs(broker View, existing, topic map[string]string) error { return nil }
func ValidateGroup(name, value string) error { return nil }
func ValidateGroupConfigs(broker View, group map[string]string) error { return nil }
func ValidateBroker(name, value string) error { return nil }
func ValidateBrokerChange(static *File, perBroker bool, changed map[string]string) error { return nil }
func ValidateClientMetrics(subscription string, configs map[string]string) error { return nil }
func DescribeBroker(l Layers) []Entry { return nil }
func DescribeBrokerDefaults(l Layers) []Entry { return nil }
func DescribeTopic(l Layers, topic map[string]string) []Entry { return nil }
func DescribeGroup(l Layers, group map[string]string) []Entry { return nil }
func DescribeClientMetrics(configs map[string]string) []Entry { return nil }
// DevProfile answers the development profile's values for a cluster of nodes.
func DevProfile(nodes int) map[string]string { return nil }
var _ time.Duration
