package config

import (
	"math/big"
	"regexp"
	"strings"
)

// isoDuration is the form that java.time.Duration reads; every unit may have its own sign.
var isoDuration = regexp.MustCompile(`^(?i)([-+]?)P(?:([-+]?[0-9]+)D)?(T(?:([-+]?[0-9]+)H)?(?:([-+]?[0-9]+)M)?(?:([-+]?[0-9]+)(?:[.,]([0-9]{0,9}))?S)?)?$`)

// checkAutoOffsetReset: earliest, latest, or by_duration: with a duration that is not negative (KIP-932, KIP-1106).
func checkAutoOffsetReset(name, s string) error {
	if s == "earliest" || s == "latest" {
		return nil
	}
	if after, ok := strings.CutPrefix(s, "by_duration:"); ok && durationOK(after) {
		return nil
	}
	return refuse(name, s, "Invalid value `"+s+"` for configuration "+name+
		". The value must be either 'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'.")
}

func durationOK(s string) bool {
	m := isoDuration.FindStringSubmatch(s)
	if m == nil || strings.EqualFold(m[3], "T") || m[2]+m[4]+m[5]+m[6] == "" {
		return false
	}
	total := new(big.Int)
	for _, unit := range []struct {
		text    string
		seconds int64
	}{{m[2], 86400}, {m[4], 3600}, {m[5], 60}, {m[6], 1}} {
		if unit.text == "" {
			continue
		}
		n, ok := new(big.Int).SetString(strings.TrimPrefix(unit.text, "+"), 10)
		if !ok || len(unit.text) > 20 {
			return false
		}
		total.Add(total, n.Mul(n, big.NewInt(unit.seconds)))
	}
	if m[1] == "-" {
		total.Neg(total)
	}
	return total.IsInt64() && total.Sign() >= 0
}
