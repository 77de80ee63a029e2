package node

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
)

// FreePorts are ports of 127.0.0.1 that nobody listened on a moment ago. They lie below those that the system gives to
// clients: no client has one by chance while a broker is not there yet, or starts again.
func FreePorts(n int) ([]int, error) {
	const first, attempts = 10_000, 100
	below := 32_768
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		_, _ = fmt.Sscan(string(text), &below)
	}
	var ports []int
	for tries := 0; len(ports) < n; tries++ {
		port := 0 // where clients get almost every port, the system's choice is as good
		if below > 2*first {
			port = first + rand.IntN(below-first)
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			if tries >= attempts {
				return nil, err
			}
			continue
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
