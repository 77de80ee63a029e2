package quorum

// bug names a way to break the Core, for the tests that must notice (design: each rule broken behind a build tag).
type bug int8

const (
	bugNone             bug = iota
	bugWordBeforeDisk       // rule 1: a vote or a fetched batch is answered before it is durable
	bugLeaderIsNoVote       // rule 2: a node that knows the epoch's leader still grants its vote
	bugLeadsAgain           // rule 2: a restarted leader goes on in its epoch
	bugOldEpochCommits      // rule 3: the high watermark moves before the epoch's first batch is held by a majority
	bugNoLeaderChange       // rule 4: no LeaderChange at the start of an epoch
	bugVotersStayInFile     // rule 4: the voters of 0-0.checkpoint are not repeated in the log
	bugCutTooLittle         // rule 5: the follower trusts the leader's end offset alone
	bugAnyAnswerCounts      // rule 6: an answer of an earlier role or epoch counts
	bugTornBatch            // rule 8: a batch cut by the fetch limit is appended
	bugStaysBelowStart      // rule 8: a follower below the log start is served from the log start
	bugParksForEver         // rule 9: a parked fetch waits as long as the follower asks
	bugNoCheckQuorum        // rule 9: a leader without followers stays
	lastBug
)
