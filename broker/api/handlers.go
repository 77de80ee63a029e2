package api

// Handlers holds the rooms that a handler may ask. It is filled once, before the first request, and not
// changed afterwards.
type Handlers struct {
	NodeID    int32
	ClusterID string
}
