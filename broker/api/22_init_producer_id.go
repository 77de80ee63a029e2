package api

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/dohle-io/dohle/broker/server"
	"github.com/dohle-io/dohle/config"
	"github.com/dohle-io/dohle/internal/clock"
	"github.com/dohle-io/dohle/protocol"
)

// InitProducerId, v0-5. Gives an idempotent producer its id.
//
// Versions:  2 flexible · 3 producer id and epoch to resume with (KIP-360) · 4 PRODUCER_FENCED ·
// 5 TRANSACTION_ABORTABLE (KIP-890)
// Errors:    INVALID_REQUEST, COORDINATOR_LOAD_IN_PROGRESS (no id to be had yet), INVALID_TRANSACTION_TIMEOUT,
// NOT_COORDINATOR
// Needs:     WRITE on TRANSACTIONAL_ID; without one IDEMPOTENT_WRITE on CLUSTER, or WRITE on any TOPIC
// Differs from Kafka: transactions are not served yet: a transactional id is answered NOT_COORDINATOR, as by a
// broker that does not coordinate it. Where Kafka answers COORDINATOR_LOAD_IN_PROGRESS at once when it is out of
// ids, this waits for the controller first.
var initProducerID = define(0, 5, OnBroker, (*Handlers).initProducerID)

// producerIDPatience is how long a request waits for the controller to give out ids.
const producerIDPatience = 10 * time.Second

func (h *Handlers) initProducerID(c *server.Ctx, req *kmsg.InitProducerIDRequest) *kmsg.InitProducerIDResponse {
	resp := kmsg.NewPtrInitProducerIDResponse()
	resp.Version = req.Version
	resp.ProducerID, resp.ProducerEpoch = -1, -1
	resumes := req.Version >= 3 && (req.ProducerID != -1 || req.ProducerEpoch != -1)
	switch {
	case resumes && (req.ProducerID == -1 || req.ProducerEpoch == -1):
		resp.ErrorCode = kerr.InvalidRequest.Code
	case req.TransactionalID != nil:
		resp.ErrorCode = h.refuseTransactionalID(req)
	default:
		h.newProducerID(c, resp)
	}
	return resp
}

func (h *Handlers) refuseTransactionalID(req *kmsg.InitProducerIDRequest) int16 {
	longest := config.TransactionMaxTimeoutMs.Get(h.Data.Replicas.View().Config)
	switch timeout := time.Duration(req.TransactionTimeoutMillis) * time.Millisecond; {
	case *req.TransactionalID == "":
		return kerr.InvalidRequest.Code
	case timeout <= 0 || timeout > longest:
		return kerr.InvalidTransactionTimeout.Code
	}
	return kerr.NotCoordinator.Code
}

// newProducerID starts every id at epoch 0; an idempotent producer that resumes gets a new one too.
func (h *Handlers) newProducerID(c *server.Ctx, resp *kmsg.InitProducerIDResponse) {
	c.Park()
	ctx, cancel := clock.WithTimeout(c.Context, producerIDPatience)
	defer cancel()
	id, err := h.Data.ProducerIDs.Next(ctx)
	switch code := protocol.CodeOf(err); {
	case err == nil:
		resp.ProducerID, resp.ProducerEpoch = id, 0
	case code == kerr.RequestTimedOut.Code || code == kerr.UnknownServerError.Code:
		h.Data.Log.Warn().Err(err).Msg("no producer ids from the controller")
		resp.ErrorCode = kerr.CoordinatorLoadInProgress.Code
	default:
		resp.ErrorCode = code
	}
}
