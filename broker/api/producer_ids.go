package api

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// IDBlocks gives out the producer ids of a block of the controller's, and asks for the next block when it is used up.
// What is left of a block is lost at a stop: ids are plenty, and none may come twice.
type IDBlocks struct {
	brokerID int32
	epoch    func() int64 // of this broker's registration
	send     func(ctx context.Context, req kmsg.Request) (kmsg.Response, error)

	// turn holds one token: who has it owns next and end. A channel, because a wait for it must end with a context.
	turn      chan struct{}
	next, end int64
}

// NewIDBlocks returns a source that asks the controller through send.
func NewIDBlocks(brokerID int32, epoch func() int64, send func(ctx context.Context, req kmsg.Request) (kmsg.Response, error)) *IDBlocks {
	return &IDBlocks{brokerID: brokerID, epoch: epoch, send: send, turn: make(chan struct{}, 1)}
}

// Next returns an id. One caller asks the controller, the others wait for it.
func (b *IDBlocks) Next(ctx context.Context) (int64, error) {
	select {
	case b.turn <- struct{}{}:
	case <-ctx.Done():
		return -1, ctx.Err()
	}
	defer func() { <-b.turn }()
	if b.next == b.end {
		if err := b.ask(ctx); err != nil {
			return -1, err
		}
	}
	id := b.next
	b.next++
	return id, nil
}

func (b *IDBlocks) ask(ctx context.Context) error {
	req := kmsg.NewPtrAllocateProducerIDsRequest()
	req.BrokerID, req.BrokerEpoch = b.brokerID, b.epoch()
	answer, err := b.send(ctx, req)
	if err != nil {
		return fmt.Errorf("asking for producer ids: %w", err)
	}
	resp, ok := answer.(*kmsg.AllocateProducerIDsResponse)
	switch {
	case !ok:
		return fmt.Errorf("asking for producer ids: answered with %T", answer)
	case resp.ErrorCode != 0: // retriable for the client, whatever it is between us and the controller
		return fmt.Errorf("asking for producer ids: %w: %w", kerr.CoordinatorLoadInProgress, kerr.ErrorForCode(resp.ErrorCode))
	case resp.ProducerIDLen <= 0 || resp.ProducerIDStart < 0:
		return fmt.Errorf("the controller gave %d producer ids from %d", resp.ProducerIDLen, resp.ProducerIDStart)
	}
	b.next, b.end = resp.ProducerIDStart, resp.ProducerIDStart+int64(resp.ProducerIDLen)
	return nil
}
