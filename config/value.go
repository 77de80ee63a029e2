package config

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Error is a refused configuration. Error() is exactly the sentence that Kafka gives; Unwrap is the Kafka error to answer with.
type Error struct {
	Message string
	Code    *kerr.Error
}

func (e *Error) Error() string { return e.Message }
func (e *Error) Unwrap() error { return e.Code }

func invalid(message string) error { return &Error{message, kerr.InvalidConfig} }

// refuse is Kafka's wording for a value that does not fit. value is the text as given, or the parsed value as Java prints it.
func refuse(name, value, reason string) error {
	return invalid("Invalid value " + value + " for configuration " + name + ": " + reason)
}

// trim cuts what Java's String.trim cuts: everything up to the space character.
func trim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
}

// checkValue parses the text by the row's type and applies the row's rule.
func checkValue(r *Row, text string) error {
	s := trim(text)
	switch r.Type {
	case Bool:
		if !strings.EqualFold(s, "true") && !strings.EqualFold(s, "false") {
			return refuse(r.Name, text, "Expected value to be either true or false")
		}
	case Int, Short, Long:
		bits := map[Type]int{Int: 32, Short: 16, Long: 64}[r.Type]
		n, err := strconv.ParseInt(s, 10, bits)
		if err != nil {
			return refuse(r.Name, text, "Not a number of type "+r.Type.String())
		}
		return checkNumber(r, strconv.FormatInt(n, 10), float64(n))
	case Double:
		f, ok := javaDouble(s)
		if !ok {
			return refuse(r.Name, text, "Not a number of type DOUBLE")
		}
		return checkNumber(r, formatDouble(f), f)
	case List:
		return checkList(r, splitList(text))
	case Class:
		// Plug-ins are Java classes; only Kafka's own names can mean anything here.
		if !strings.HasPrefix(s, "org.apache.kafka.") {
			return refuse(r.Name, text, "Class "+text+" could not be found.")
		}
	case String:
		return checkString(r, s)
	}
	return nil
}

func checkNumber(r *Row, shown string, n float64) error {
	switch r.Check {
	case CheckRange:
		if r.Min != "" && n < bound(r.Min) {
			return refuse(r.Name, shown, "Value must be at least "+r.Min)
		}
		if r.Max != "" && n > bound(r.Max) {
			return refuse(r.Name, shown, "Value must be no more than "+r.Max)
		}
	case CheckGzipLevel:
		if n != -1 && (n < 1 || n > 9) {
			return refuse(r.Name, shown, "Value must be between 1 and 9 or equal to -1")
		}
	}
	return nil
}

func bound(s string) float64 {
	f, _ := javaDouble(s)
	return f
}

func checkString(r *Row, s string) error {
	switch r.Check {
	case CheckIn:
		if !slices.Contains(r.Valid, s) {
			return refuse(r.Name, s, "String must be one of: "+strings.Join(r.Valid, ", "))
		}
	case CheckInFold:
		if !slices.Contains(r.Valid, strings.ToUpper(s)) {
			return refuse(r.Name, s, "String must be one of (case insensitive): "+strings.Join(r.Valid, ", "))
		}
	case CheckNonEmpty:
		if s == "" {
			return refuse(r.Name, s, "String must be non-empty")
		}
	case CheckAutoOffsetReset:
		return checkAutoOffsetReset(r.Name, s)
	}
	return nil
}

// checkList applies the rules of list values. Duplicates are dropped before, not refused (KIP-1161).
func checkList(r *Row, list []string) error {
	switch r.Check {
	case CheckList:
		list = distinct(list)
		if r.NoEmpty && len(list) == 0 {
			valid := "any non-empty value"
			if len(r.Valid) > 0 {
				valid = "[" + strings.Join(r.Valid, ", ") + "]"
			}
			return invalid("Configuration '" + r.Name + "' must not be empty. Valid values include: " + valid)
		}
		for _, s := range list {
			if s == "" {
				return invalid("Configuration '" + r.Name + "' values must not be empty.")
			}
			if len(r.Valid) > 0 && !slices.Contains(r.Valid, s) {
				return refuse(r.Name, s, "String must be one of: "+strings.Join(r.Valid, ", "))
			}
		}
	case CheckVoters:
		_, err := parseVoters(list, true)
		return err
	case CheckBootstrap:
		_, err := parseBootstrap(list)
		return err
	case CheckThrottled:
		return checkThrottled(r.Name, list)
	}
	return nil
}

// checkThrottled: partition:broker entries, or one literal *.
func checkThrottled(name string, list []string) error {
	joined, replicas := "", true
	for _, s := range list {
		s = trim(s)
		joined += s
		partition, broker, ok := strings.Cut(s, ":")
		replicas = replicas && (s == "" || ok && digits(partition) && digits(broker))
	}
	if !replicas && joined != "*" {
		return refuse(name, "["+strings.Join(list, ", ")+"]", name+
			" must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...")
	}
	return nil
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// splitList splits at commas with the white space around them, after trimming. The empty text is the empty list.
func splitList(text string) []string {
	s := trim(text)
	if s == "" {
		return nil
	}
	list := strings.Split(s, ",")
	for i := range list {
		list[i] = strings.Trim(list[i], " \t\n\v\f\r")
	}
	return list
}

// distinct keeps the first of equal entries.
func distinct(list []string) []string {
	seen := make(map[string]bool, len(list))
	out := list[:0:0]
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// javaDouble reads what Double.parseDouble reads: Go's syntax less its words and underscores, with an optional type suffix.
func javaDouble(s string) (float64, bool) {
	body := strings.TrimLeft(s, "+-")
	switch {
	case len(s)-len(body) > 1:
		return 0, false
	case body == "NaN":
		return math.NaN(), true
	case body == "Infinity":
		if s[0] == '-' {
			return math.Inf(-1), true
		}
		return math.Inf(1), true
	}
	hex := strings.HasPrefix(body, "0x") || strings.HasPrefix(body, "0X")
	if n := len(s); n > 1 && strings.ContainsRune("dDfF", rune(s[n-1])) && (!hex || strings.ContainsAny(body, "pP")) {
		s = s[:n-1]
	}
	if strings.ContainsAny(s, "_iInN") {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// formatDouble writes a number as Double.toString does.
func formatDouble(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-3 || a >= 1e7) {
		s := strconv.FormatFloat(f, 'E', -1, 64) // 1.5E+08
		mantissa, exp, _ := strings.Cut(s, "E")
		if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
		n, _ := strconv.Atoi(exp)
		return mantissa + "E" + strconv.Itoa(n)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// canonical is the parsed value printed as Kafka prints it in DescribeConfigs.
func canonical(r *Row, text string) string {
	s := trim(text)
	switch r.Type {
	case Bool:
		return strings.ToLower(s)
	case Int, Short, Long:
		return strconv.FormatInt(parseInt(s), 10)
	case Double:
		return formatDouble(parseDouble(s))
	case List:
		list := splitList(s)
		if r.Check == CheckList {
			list = distinct(list)
		}
		return strings.Join(list, ",")
	}
	return s
}
