package generate

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/dohle-io/dohle/compat-tests/oracle"
)

// codes counts what was answered: API → error code, or effect where there was no answer → how often. It shows whether
// requests get past the first check.
type codes map[string]map[string]int

func (c codes) add(api string, r *oracle.Reply) {
	if c[api] == nil {
		c[api] = map[string]int{}
	}
	if r.Answer == nil {
		c[api][r.Effect]++
		return
	}
	c.walk(api, r.Answer)
}

func (c codes) walk(api string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, field := range v {
			if name == "ErrorCode" {
				c[api][fmt.Sprint(field)]++
				continue
			}
			c.walk(api, field)
		}
	case []any:
		for _, item := range v {
			c.walk(api, item)
		}
	}
}

// print writes one line for each API, the most frequent code first.
func (c codes) print(w io.Writer) {
	for _, api := range slices.Sorted(maps.Keys(c)) {
		list := slices.Collect(maps.Keys(c[api]))
		slices.SortFunc(list, func(a, b string) int {
			if d := c[api][b] - c[api][a]; d != 0 {
				return d
			}
			return strings.Compare(a, b)
		})
		fmt.Fprintf(w, "%-40s", api)
		for _, code := range list {
			fmt.Fprintf(w, " %s×%d", code, c[api][code])
		}
		fmt.Fprintln(w)
	}
}
