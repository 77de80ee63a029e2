//go:build plant

package quorum

import "flag"

var plantFlag = flag.Int("plant", 0, "the bug to plant")

func planted() bugs { return bugs{bug(*plantFlag)} }
