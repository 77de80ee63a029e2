package api

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/metadata"
)

// metadataCache keeps whole Metadata answers of all topics, encoded, as long as topics and brokers are what
// they were. With 10,000 partitions an answer costs milliseconds to build and encode, and every client asks
// after every change. Single topics are cheap and not kept.
type metadataCache struct {
	mu      sync.Mutex
	topics  metadata.TopicsImage // what the frames were made of
	brokers metadata.BrokersImage
	frames  map[metadataKey][]byte
	bytes   int
}

// metadataKey is all that an answer of all topics depends on besides the image.
type metadataKey struct {
	listener          string
	version           int16
	clusterOps, topic bool // authorized operations asked for
}

// maxCachedMetadata bounds the bytes of kept answers; a larger answer is made anew each time.
const maxCachedMetadata = 32 << 20

// get returns a frame made of img, nil if there is none. The frame must not be written to.
func (m *metadataCache) get(img *metadata.Image, key metadataKey) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.topics != img.Topics || m.brokers != img.Brokers {
		return nil
	}
	return m.frames[key]
}

// put keeps a frame made of img and drops what was made of another one.
func (m *metadataCache) put(img *metadata.Image, key metadataKey, frame []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.topics != img.Topics || m.brokers != img.Brokers {
		m.topics, m.brokers, m.frames, m.bytes = img.Topics, img.Brokers, nil, 0
	}
	if m.bytes+len(frame) > maxCachedMetadata {
		return
	}
	if m.frames == nil {
		m.frames = map[metadataKey][]byte{}
	}
	if _, ok := m.frames[key]; !ok {
		m.frames[key], m.bytes = frame, m.bytes+len(frame)
	}
}

// nodeCache keeps the live brokers of each listener as Metadata shows them, as long as brokers are what they
// were: walking the image's map costs more than the rest of a small answer.
type nodeCache struct {
	mu         sync.Mutex
	brokers    metadata.BrokersImage
	byListener map[string][]kmsg.MetadataResponseBroker
}

// of returns the brokers that are not fenced and listen on listener, by id. The slice must not be written to.
func (n *nodeCache) of(img *metadata.Image, listener string) []kmsg.MetadataResponseBroker {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.byListener == nil || n.brokers != img.Brokers {
		n.brokers, n.byListener = img.Brokers, map[string][]kmsg.MetadataResponseBroker{}
	}
	if nodes, ok := n.byListener[listener]; ok {
		return nodes
	}
	nodes := make([]kmsg.MetadataResponseBroker, 0, img.Brokers.Len())
	for b := range img.Brokers.All() {
		if e, ok := b.Endpoint(listener); ok && !b.Fenced {
			node := kmsg.NewMetadataResponseBroker()
			node.NodeID, node.Host, node.Port, node.Rack = b.ID, e.Host, int32(e.Port), b.Rack
			nodes = append(nodes, node)
		}
	}
	n.byListener[listener] = nodes
	return nodes
}
