package peer

// All goroutines of this package start here.

// startReader starts the reader goroutine of a new connection; false when the client is closed.
func (c *Client) startReader(w *wire) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.links == nil {
		return false
	}
	c.wires.Go(w.read)
	return true
}
